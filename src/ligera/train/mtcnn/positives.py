"""Paper A's protocol for P-Net, kept as it is so that it can be measured: the task "yes, wherever you look".

Of each picture the largest face alone; the picture at 128x128 px, pixels from 0 to 1, the box in shares of the picture;
both labels repeated over all 59x59 cells; 1.0 binary cross-entropy and 0.5 Huber. There is no negative in it, so the
quickest way down is to say yes to everything, and the box no longer depends on where a cell is. ``evaluate`` says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from ligera.boxes import area
from ligera.data.faces import FaceSample, read_retinaface
from ligera.data.pictures import read_picture
from ligera.errors import DataError
from ligera.models.mtcnn import PNet
from ligera.records import Preprocess
from ligera.train.loading import loader
from ligera.train.mtcnn.recipe import PositivesRecipe
from ligera.train.samplers import EpochPlan, make_sampler
from ligera.train.sampling import SampleKey
from ligera.train.task import Losses, check_batch

PREPROCESS = Preprocess(scale=(1 / 255,) * 3, multiple=1)
JUDGED = 100  # pictures with a face, and as many without, that a network is asked about


@dataclass(frozen=True, slots=True)
class PictureBatch:
    """``pixels (B, 3, S, S)`` uint8, ``boxes (B, 4)`` corners in shares of the picture, ``rows (B,)``, ``weights``."""

    pixels: Tensor
    boxes: Tensor
    rows: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> PictureBatch:
        return PictureBatch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


class LargestFaces(Dataset):
    """Pictures by ``SampleKey``, decoded when they are asked for: resized, with the box of their largest face."""

    def __init__(self, samples: list[FaceSample], side_px: int) -> None:
        # Here, not in the workers: a worker that finds OpenCV's threads of before the fork waits for them for ever.
        cv2.setNumThreads(1)
        self._samples, self._side_px = samples, side_px

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, ...]:
        sample = self._samples[key.index]
        picture = read_picture(sample.path)
        box = largest(sample) / np.tile(np.float32([picture.width, picture.height]), 2)
        planes = torch.from_numpy(resized(picture.pixels, self._side_px))
        return planes, torch.from_numpy(box), torch.tensor(key.index), torch.tensor(key.weight)


def largest(sample: FaceSample) -> np.ndarray:
    """The box ``(4,)`` of the largest face, px."""
    return np.array(sample.targets.boxes[area(sample.targets.boxes).argmax()])


def resized(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """A picture at ``side_px`` square, whatever its shape, ``(3, S, S)`` uint8."""
    small = cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(small.transpose(2, 0, 1))


class PositivesTask:
    """The paper's protocol for the one loop; built from a recipe."""

    score = "accuracy"

    def __init__(self, recipe: PositivesRecipe) -> None:
        self._recipe = recipe
        samples = read_retinaface(recipe.data).samples
        with_faces = [sample for sample in samples if len(sample.targets)][: recipe.pictures]
        if recipe.pictures is not None and len(with_faces) < recipe.pictures:
            raise DataError(
                f"pictures: {recipe.pictures:,} are more than the {len(with_faces):,} with a face in {recipe.data}; "
                "make it smaller"
            )
        if not with_faces:
            raise DataError(f"{recipe.data}: holds no picture with a face")
        self._faces = with_faces
        self._backgrounds = [sample for sample in samples if not len(sample.targets) and not len(sample.targets.ignore)]
        self.dataset = LargestFaces(with_faces, recipe.side_px)
        self.sampler = make_sampler(
            recipe.sampler,
            rows=len(with_faces),
            samples_per_epoch=recipe.samples_per_epoch,
            seed=recipe.seed,
            epochs=recipe.epochs,
        )
        check_batch(recipe, self.sampler)

    def network(self) -> nn.Module:
        return PNet(score_channels=1)

    def batches(self, _plan: EpochPlan, keys: list[list[SampleKey]], _device: torch.device) -> Iterable[PictureBatch]:
        return loader(self.dataset, keys, _collate, self._recipe.workers)

    def count(self, batch: PictureBatch) -> Tensor:
        return batch.weights.new_tensor(float(len(batch.rows)))

    def loss(self, network: nn.Module, batch: PictureBatch, count: Tensor) -> Losses:
        """Means over cells (and the box's four numbers), as Keras takes them."""
        raw = network(batch.pixels.float().div_(255))
        scores, boxes = raw.scores[..., 0].float(), raw.boxes.float()
        entropy = functional.binary_cross_entropy_with_logits(scores, torch.ones_like(scores), reduction="none").mean(1)
        wanted = batch.boxes[:, None].expand_as(boxes)
        huber = functional.smooth_l1_loss(boxes, wanted, reduction="none").mean((1, 2)) * self._recipe.box_weight
        parts = {"classification": entropy, "boxes": huber}
        return Losses(
            {name: (batch.weights * term).sum() / count for name, term in parts.items()}, (entropy + huber).detach()
        )

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """``accuracy`` as the paper measures it, on its own training pictures, where the answer is always yes, and
        ``said_face_without``: how many cells of pictures without any face are called one, where there are such."""
        scores = {"accuracy": self._said_face(network, self._faces[:JUDGED])}
        if self._backgrounds:
            scores["said_face_without"] = self._said_face(network, self._backgrounds[:JUDGED])
        return scores

    def finish(self, network: nn.Module) -> dict[str, float]:
        return {}

    def card(self) -> dict[str, Any]:
        return {
            "task": "detect-faces",
            "labels": ["face"],
            "net": "p-net",
            "mean": list(PREPROCESS.mean),
            "scale": list(PREPROCESS.scale),
            "pictures": len(self._faces),
        }

    def draw(self, network: nn.Module, folder: Path) -> None:
        """Nothing: one box for all cells of a picture shows nothing that the numbers do not."""

    def _said_face(self, network: nn.Module, samples: list[FaceSample]) -> float:
        """The share of cells with a score of 0.5 or more."""
        device = next(network.parameters()).device
        network.eval()
        shares = []
        with torch.inference_mode():
            for sample in samples:
                planes = torch.from_numpy(resized(read_picture(sample.path).pixels, self._recipe.side_px))
                raw = network(planes[None].float().div_(255).to(device))
                shares.append((raw.scores >= 0).float().mean().item())
        return float(np.mean(shares))


def _collate(samples: list[tuple[Tensor, ...]]) -> PictureBatch:
    return PictureBatch(*map(torch.stack, zip(*samples, strict=True)))
