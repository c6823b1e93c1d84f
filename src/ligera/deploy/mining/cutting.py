"""The chosen candidates of one picture -> crops with their targets, pixel for pixel as the network would see them.

In: a picture's file, its candidates' file and the plan's thresholds. Out: a ``CropSet``. A crop that reaches beyond the
picture holds what is in it, brought to a square, and its targets count from the whole square: so does the cascade.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ligera.data.crops import KINDS, CropSet
from ligera.data.pictures import read_picture
from ligera.deploy.mining.candidates import Candidates, cut_corners, shown, shown_size
from ligera.deploy.mining.choosing import candidate_keys
from ligera.deploy.mining.keys import chosen
from ligera.deploy.mining.picture_work import Job, read_candidates
from ligera.deploy.mining.settings import MineSettings
from ligera.errors import DataError, PictureError
from ligera.models.area import AreaSums
from ligera.records import Preprocess

__all__ = ["CutWork", "empty_crops"]

AT_ONCE = 64
POSITIVE, PART, LANDMARK = (KINDS.index(kind) for kind in ("positive", "part", "landmark"))


def empty_crops(count: int, side: int) -> CropSet:
    """Room for ``count`` crops without targets."""
    return CropSet(
        np.zeros((count, side, side, 3), np.uint8),
        np.zeros(count, np.int8),
        np.full((count, 4), np.nan, np.float32),
        np.full((count, 10), np.nan, np.float32),
    )


@dataclass(frozen=True, slots=True)
class CutWork:
    """The function of one job: its crops, as the plan's ``thresholds`` choose them. ``rule`` is the model's input."""

    settings: MineSettings
    rule: Preprocess | None
    thresholds: tuple[int, ...]
    out: Path

    def __call__(self, job: Job) -> CropSet:
        candidates = self._chosen(job)
        try:
            pixels = read_picture(job.path).pixels
        except PictureError as error:
            raise DataError(f"{error}; it could be read before: run the same command again") from None
        size = shown_size(*pixels.shape[:2], self.settings, self.rule)
        scale = np.array([size[1] / pixels.shape[1], size[0] / pixels.shape[0]] * 2, np.float32)
        crops = empty_crops(len(candidates), self.settings.stage)
        boxes = candidates.boxes * scale
        cut = cut_corners(boxes, *size)
        if not (cut[:, 2:] > cut[:, :2]).all():
            raise DataError(f"{job.path}: is another picture than it was; run the same command again")
        table = AreaSums(shown(pixels, size))
        for start in range(0, len(cut), AT_ONCE):
            part = table.crops(cut[start : start + AT_ONCE], self.settings.stage)
            crops.pixels[start : start + AT_ONCE] = np.rint(part).astype(np.uint8).transpose(0, 2, 3, 1)
        crops.kinds[:] = candidates.kinds
        _set_targets(crops, boxes, candidates, job.targets.boxes * scale, job.targets.landmarks * scale[:2])
        return crops

    def _chosen(self, job: Job) -> Candidates:
        candidates = read_candidates(self.out / job.file)
        kept = np.bincount(candidates.kinds, minlength=len(KINDS))
        keys = candidate_keys(self.settings, job.name, kept.tolist())
        parts = np.split(keys, np.cumsum(kept)[:-1])
        taken = [chosen(part, threshold) for part, threshold in zip(parts, self.thresholds, strict=True)]
        rows = np.flatnonzero(np.concatenate(taken))
        # Kinds mixed, as a shard may be all that somebody looks at.
        return candidates.take(rows[np.argsort(keys[rows], kind="stable")])


def _set_targets(
    crops: CropSet, boxes: np.ndarray, candidates: Candidates, faces: np.ndarray, landmarks: np.ndarray
) -> None:
    sides = boxes[:, 2:] - boxes[:, :2]
    with_box = np.flatnonzero(np.isin(candidates.kinds, (POSITIVE, PART, LANDMARK)))
    true = faces[candidates.faces[with_box]]
    crops.boxes[with_box] = (true - boxes[with_box]) / np.tile(sides[with_box], 2)
    with_points = np.flatnonzero(np.isin(candidates.kinds, (POSITIVE, LANDMARK)))
    points = landmarks[candidates.faces[with_points]] - boxes[with_points, None, :2]
    crops.landmarks[with_points] = (points / sides[with_points, None]).reshape(-1, 10)
