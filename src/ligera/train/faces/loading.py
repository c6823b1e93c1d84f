"""Face pictures -> augmented, matched batches; pictures may be kept decoded in memory, shared by all workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from ligera.data.augment import augment
from ligera.data.faces import FaceSample, read_retinaface
from ligera.data.pictures import read_picture
from ligera.errors import DataError
from ligera.models.priors import prior_boxes
from ligera.records import Picture, PriorSpec, Targets
from ligera.train.faces.losses import FaceBatch
from ligera.train.faces.matching import leave_out, match_adaptive, match_by_iou
from ligera.train.faces.recipe import DataSource, FacesRecipe
from ligera.train.sampling import SampleKey


def read_sources(sources: tuple[DataSource, ...]) -> tuple[list[FaceSample], np.ndarray]:
    """All samples of a recipe's sources and the weight of each; a folder that nothing weighs gets the default."""
    samples: list[FaceSample] = []
    weights: list[float] = []
    for source in sources:
        found = read_retinaface(source.path / source.labels).samples
        groups = [sample.path.parent.name for sample in found]
        unknown = set(source.weights) - set(groups)
        if unknown:
            raise DataError(f"{source.path}: weights name {sorted(unknown)}, folders there are {sorted(set(groups))}")
        samples += found
        weights += [source.weights.get(group, source.default_weight) for group in groups]
    if not np.sum(weights) > 0:
        raise DataError("the recipe's sources hold no picture with a weight above 0")
    return samples, np.array(weights, np.float64)


def held_out_rows(samples: list[FaceSample], share: float, seed: int) -> np.ndarray:
    """``(rows,)`` bool: ``share`` of each folder's pictures, chosen by ``seed``, at least one left on either side."""
    held = np.zeros(len(samples), bool)
    if share == 0:
        return held
    folders = np.array([str(sample.path.parent) for sample in samples])
    random = np.random.default_rng([seed, len(samples)])
    for folder in sorted(set(folders.tolist())):
        rows = random.permutation(np.flatnonzero(folders == folder))
        held[rows[: min(max(round(share * len(rows)), 1), len(rows) - 1)]] = True
    return held


class FaceDataset(Dataset):
    """Samples by ``SampleKey``: what a ``FaceBatch`` holds, for one picture."""

    def __init__(
        self,
        samples: list[FaceSample],
        weights: np.ndarray,
        recipe: FacesRecipe,
        priors: PriorSpec,
        pictures: list[Picture] | None = None,
    ) -> None:
        # Here, not in the workers: a worker that finds OpenCV's threads of before the fork waits for them for ever.
        cv2.setNumThreads(1)
        self._samples = samples
        self._ends = np.cumsum(weights / weights.sum())
        self._recipe = recipe
        self._spec = priors
        self._pictures = pictures or (_decode_all(samples) if recipe.cache else None)

    def weighted(self, weights: np.ndarray) -> FaceDataset:
        """The same samples, of which rows with weight 0 are not drawn to stand beside others; pictures are shared."""
        return FaceDataset(self._samples, weights, self._recipe, self._spec, self._pictures)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, key: SampleKey) -> tuple[torch.Tensor, ...]:
        generator = key.generator()
        rows = self._rows(key.index, generator)
        pixels, targets = augment(lambda: self._read(next(rows)), self._recipe.augment, self._recipe.side_px, generator)
        matched = torch.from_numpy(self._match(targets))
        faces = torch.from_numpy(np.array(targets.boxes))
        planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        points = torch.from_numpy(np.array(targets.landmarks)).flatten(1)
        return planes, matched, faces, points, torch.tensor(key.index), torch.tensor(key.weight)

    def _rows(self, first: int, generator: np.random.Generator) -> Iterator[int]:
        """The sample's own row, then rows drawn by weight to stand beside it."""
        yield first
        while True:
            yield min(int(np.searchsorted(self._ends, generator.random())), len(self._samples) - 1)

    def _read(self, row: int) -> tuple[Picture, Targets]:
        picture = self._pictures[row] if self._pictures else read_picture(self._samples[row].path)
        return picture, self._samples[row].targets

    def _match(self, targets: Targets) -> np.ndarray:
        size = (self._recipe.side_px, self._recipe.side_px)
        priors = prior_boxes(*size, self._spec)
        if self._recipe.loss == "multibox":
            matched = match_by_iou(priors, targets.boxes)
        else:
            matched = match_adaptive(priors, targets.boxes, self._spec, size)
        return leave_out(matched, targets.ignore, self._spec, size)


def collate(samples: list[tuple[torch.Tensor, ...]]) -> FaceBatch:
    """Samples -> one batch; rows in ``matched`` are moved so that they count through the whole batch's faces."""
    pixels, matched, faces, landmarks, rows, weights = zip(*samples, strict=True)
    first = np.cumsum([0] + [len(f) for f in faces[:-1]])
    moved = [torch.where(m >= 0, m + int(start), m) for m, start in zip(matched, first, strict=True)]
    stacked = torch.stack(pixels), torch.stack(moved), torch.cat(faces), torch.cat(landmarks)
    return FaceBatch(*stacked, torch.stack(rows), torch.stack(weights))


def _decode_all(samples: list[FaceSample]) -> list[Picture]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda sample: read_picture(sample.path), samples))
