"""Which boxes are positive, part faces or negatives: by their IoU with the annotated faces (SPEC section A, mining).

In: boxes ``(N, 4)`` and a picture's targets, all in px of one picture. Out: a kind for each box, or none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ligera.boxes import area, iou
from ligera.data.crops import KINDS
from ligera.deploy.mining.settings import MineSettings
from ligera.records import Targets

__all__ = ["NO_KIND", "Labels", "label", "split_tiny"]

NEGATIVE, POSITIVE, PART, LANDMARK = (KINDS.index(kind) for kind in ("negative", "positive", "part", "landmark"))
NO_KIND = -1
AT_ONCE = 2048


@dataclass(frozen=True, slots=True)
class Labels:
    """For each box: ``kinds`` (N,) int8, code of ``KINDS`` or -1, ``ious`` (N,) float32 with the nearest face, and
    ``faces`` (N,) int32, that face's row in the targets, or -1 where there is none."""

    kinds: np.ndarray
    ious: np.ndarray
    faces: np.ndarray


def split_tiny(targets: Targets, least_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of faces to learn, and regions to ignore ``(K, 4)``: those marked so and faces under ``least_px``."""
    sides = (targets.boxes[:, 2:] - targets.boxes[:, :2]).max(axis=1, initial=0)
    large = sides >= least_px
    return np.flatnonzero(large), np.concatenate([targets.ignore, targets.boxes[~large]])


def label(boxes: np.ndarray, targets: Targets, settings: MineSettings) -> Labels:
    """Kinds of ``boxes``. None has what lies between the thresholds, and what an ignore region explains better.

    A negative has less than ``negative_iou`` of its own area in ignore regions, so that none of it may be a face, and
    never more IoU with one than that.
    """
    rows, ignore = split_tiny(targets, settings.least_face_px or 0)
    faces = targets.boxes[rows]
    kinds = np.full(len(boxes), NO_KIND, np.int8)
    ious = np.zeros(len(boxes), np.float32)
    nearest = np.full(len(boxes), -1, np.int32)
    # A part at a time: a P-Net that says yes to everything proposes a hundred thousand boxes.
    for start in range(0, len(boxes), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        kinds[part], ious[part], best = _label(boxes[part], faces, ignore, settings)
        nearest[part] = np.where(best >= 0, rows[best], -1) if len(rows) else -1
    return Labels(kinds, ious, nearest)


def _label(
    boxes: np.ndarray, faces: np.ndarray, ignore: np.ndarray, settings: MineSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    best, nearest = _best(boxes, faces)
    kinds = np.full(len(boxes), NO_KIND, np.int8)
    kinds[best < settings.negative_iou] = NEGATIVE
    kinds[(best >= settings.part_iou) & (best < settings.positive_iou)] = PART
    kinds[best >= settings.positive_iou] = POSITIVE
    if len(ignore):
        explained = _best(boxes, ignore)[0]
        covered = _covered(boxes, ignore) >= settings.negative_iou
        kinds[(kinds == NEGATIVE) & covered] = NO_KIND
        kinds[explained > np.maximum(best, settings.negative_iou)] = NO_KIND
    return kinds, best, nearest


def _best(boxes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest IoU of each box with one of ``others`` and which that is; 0 and -1 where it overlaps none."""
    if not len(others):
        return np.zeros(len(boxes), np.float32), np.full(len(boxes), -1)
    overlaps = iou(boxes, others)
    nearest = overlaps.argmax(axis=1)
    best = overlaps[np.arange(len(boxes)), nearest]
    return best, np.where(best > 0, nearest, -1)


def _covered(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """The share of each box that lies in ``regions``, ``(N,)``; where those overlap, counted twice."""
    first = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    sides = np.clip(np.minimum(boxes[:, None, 2:], regions[None, :, 2:]) - first, 0, None)
    return sides.prod(axis=2).sum(axis=1) / np.maximum(area(boxes), 1e-6)
