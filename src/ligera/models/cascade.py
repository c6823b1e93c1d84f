"""MTCNN's cascade (Zhang et al. 2016, section II) as pure functions on arrays; ``deploy.cascade`` runs them.

Pyramid -> P-Net -> suppression per level and across levels -> calibration -> squares -> R-Net -> suppression ->
calibration -> squares -> O-Net -> calibration -> suppression over the smaller box.

The arithmetic is that of the original and of facenet-pytorch, in float32 and with its quirks: pixels of a box run from
1 to its end included where it is cut out, calibration by R- and O-Net counts sides one pixel longer than proposals',
and the last suppression counts areas so. Boxes are ``(N, 4)`` ``x1 y1 x2 y2`` px of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "STAGE_SIDES_PX",
    "CascadeRule",
    "calibrated",
    "cells_along",
    "corners",
    "face_scores",
    "landmarks_at",
    "level_size",
    "proposals",
    "pyramid_scales",
    "smaller_box_nms",
    "squares",
]

STAGE_SIDES_PX = (12, 24, 48)
"""What P-, R- and O-Net look at: the side of a window or crop."""
STRIDE_PX = 2


@dataclass(frozen=True, slots=True)
class CascadeRule:
    """How the networks are run and what they keep; the defaults are facenet-pytorch's.

    ``stages`` is how many networks there are, 3 for all. ``min_face_px`` is the smallest face sought, ``scale_step``
    the ratio of a pyramid level to the one before. ``scores`` are the least of each network's, IoUs and
    ``output_overlap`` (intersection over the smaller box) where suppression begins. ``first_corner_shift_px`` is taken
    off x1 and y1 of what is given out: 1 for networks trained on boxes whose pixels count from 0, as the cascade's own
    count from 1.
    """

    stages: int = 3
    min_face_px: float = 20.0
    scale_step: float = 0.709
    scores: tuple[float, float, float] = (0.6, 0.7, 0.7)
    level_iou: float = 0.5
    proposal_iou: float = 0.7
    refined_iou: float = 0.7
    output_overlap: float = 0.7
    first_corner_shift_px: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.stages <= len(STAGE_SIDES_PX):
            raise ValueError(f"stages: expected 1 to {len(STAGE_SIDES_PX)}, got {self.stages}")
        if not 4 <= self.min_face_px <= 4096:
            raise ValueError(f"min_face_px: expected 4 to 4096, got {self.min_face_px}")
        if not -2 <= self.first_corner_shift_px <= 2:
            raise ValueError(f"first_corner_shift_px: expected -2 to 2, got {self.first_corner_shift_px}")
        # Near 1 the pyramid has levels without end.
        if not 0.2 <= self.scale_step <= 0.95:
            raise ValueError(f"scale_step: expected 0.2 to 0.95, got {self.scale_step}")
        shares = {name: getattr(self, name) for name in ("level_iou", "proposal_iou", "refined_iou", "output_overlap")}
        shares |= {f"scores[{place}]": score for place, score in enumerate(self.scores)}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {share}")


def pyramid_scales(height: int, width: int, rule: CascadeRule) -> tuple[float, ...]:
    """Scales of the pyramid's levels for a picture of that size, largest first; none where no face can fit."""
    scale = STAGE_SIDES_PX[0] / rule.min_face_px
    side = min(height, width) * scale
    scales = []
    while side >= STAGE_SIDES_PX[0]:
        scales.append(scale)
        scale *= rule.scale_step
        side *= rule.scale_step
    return tuple(scales)


def level_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Rows and columns, in px, of one level."""
    return int(height * scale + 1), int(width * scale + 1)


def cells_along(side_px: int) -> int:
    """How many cells P-Net has along a side: 3x3, pooling by 2 rounded up, two more 3x3."""
    return (side_px - 2 + 1) // 2 - 4


def face_scores(margins: np.ndarray) -> np.ndarray:
    """Logits of face less background -> probabilities float32, rounded as a softmax in float32 rounds them.

    What rounds to the same score stays in input order when suppressed: precision beyond it would change who survives.
    """
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-margins.astype(np.float32)))


def proposals(
    margins: np.ndarray, offsets: np.ndarray, columns: int, scale: float, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells of one level whose score is ``least`` or more: windows ``(N, 4)``, scores ``(N,)``, offsets ``(N, 4)``.

    ``margins`` ``(P,)`` and ``offsets`` ``(P, 4)`` are P-Net's for its cells, row by row of ``columns``. Windows are in
    whole px of the picture at the level's ``scale``.
    """
    scores = face_scores(margins)
    kept = np.flatnonzero(scores >= least)
    row, column = np.divmod(kept, columns)
    first = (STRIDE_PX * np.stack([column, row], axis=1)).astype(np.float32)
    factor = np.float32(scale)
    windows = np.concatenate([(first + 1) / factor, (first + STAGE_SIDES_PX[0]) / factor], axis=1)
    return np.floor(windows), scores[kept], offsets[kept]


def calibrated(boxes: np.ndarray, offsets: np.ndarray, *, end_included: bool) -> np.ndarray:
    """``boxes`` with each side moved by its offset times the box's width or height, ``(N, 4)`` float32.

    A box whose ``end_included`` is one pixel wider and higher; R- and O-Net were trained on such, P-Net was not.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    if end_included:
        sides = sides + 1
    return boxes + offsets * np.tile(sides, 2)


def squares(boxes: np.ndarray) -> np.ndarray:
    """Squares around the same centres, as long as each box's longer side, ``(N, 4)``."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    first = boxes[:, :2] + sides * 0.5 - longest * 0.5
    return np.concatenate([first, first + longest], axis=1)


def corners(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """The part of each box within the picture, in whole pixels: ``(N, 4)`` int64 ``x1 y1 x2 y2``, ends excluded.

    Empty, x1 >= x2 or y1 >= y2, where a box lies outside.
    """
    ends = np.array([width, height])
    first = np.clip(np.trunc(boxes[:, :2]), 1, ends + 1) - 1
    last = np.clip(np.trunc(boxes[:, 2:]), 0, ends)
    return np.concatenate([first, last], axis=1).astype(np.int64)


def landmarks_at(boxes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``places`` ``(N, 10)`` in crops of ``boxes`` -> ``(N, 5, 2)`` px."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return sides[:, None] * places.reshape(-1, 5, 2) + boxes[:, None, :2] - 1


def smaller_box_nms(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Greedy suppression by intersection over the smaller of two areas: indices kept, best first, of a tie the last.

    It also removes boxes inside others, however much smaller they are. A row of N numbers at a time, N rows at most.
    """
    rest = np.argsort(scores, kind="stable")[::-1]
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1 + 1) * (y2 - y1 + 1)
    kept = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        wide = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + 1
        high = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + 1
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            rest = rest[shared / np.minimum(areas[best], areas[rest]) <= overlap]
    return np.array(kept, dtype=np.int64)
