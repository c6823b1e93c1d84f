"""Average precision on WIDER FACE, easy / medium / hard, by the rules of the official evaluation.

In: detections as event -> picture -> ``(N, 5)`` ``x y w h score`` px, ground truth from :func:`read_ground_truth`.
Out: :class:`WiderResult`. Source: the evaluation tools that Yang et al. publish with WIDER FACE (CVPR 2016). Rules:

- scores are mapped to 0..1 by the lowest and highest score of the whole set; 1,000 thresholds, 0.999 down to 0;
- IoU counts pixels, both ends of a side included (each side one longer than its length), and must reach 0.5;
- a detection belongs to the face it overlaps most. If the setting does not count that face, the detection is neither
  right nor wrong; of those on a counted face the best is right, the others are wrong, like those on no face;
- pictures without any annotated face are passed over, whatever was detected there;
- AP is the area under the precision envelope over all recalls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ligera.errors import DataError
from ligera.metrics.widerface_dump import as_rows, read_dump, write_dump
from ligera.metrics.widerface_mat import SETTINGS, WiderGroundTruth, WiderPicture, read_ground_truth

__all__ = [
    "WiderGroundTruth",
    "WiderPicture",
    "WiderResult",
    "as_rows",
    "evaluate",
    "read_dump",
    "read_ground_truth",
    "write_dump",
]

THRESHOLDS = 1000
IOU_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class WiderResult:
    """AP of the three settings, 0 to 1; NaN where a setting counts no face.

    ``missing`` pictures of the ``pictures`` in the ground truth have no entry in the detections and count as nothing
    found; ``unknown`` entries of the detections are not in the ground truth and count for nothing.
    """

    easy: float
    medium: float
    hard: float
    protocol: str
    pictures: int
    missing: int
    unknown: int


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """All detections in pictures with faces: the first threshold that each reaches and its face's number, or -1."""

    level: np.ndarray
    face: np.ndarray


def evaluate(
    detections: Mapping[str, Mapping[str, np.ndarray]],
    ground_truth: WiderGroundTruth,
    *,
    inference: str = "input size and scales not stated",
) -> WiderResult:
    """AP of ``detections`` under the official protocol; ``inference`` says how they were made and joins ``protocol``.

    Raises ``DataError`` when nothing in the detections belongs to the ground truth, ``ValueError`` for an array that
    is not a finite ``(N, 5)``.
    """
    pictures = ground_truth.pictures
    present = [detections.get(picture.event, {}).get(picture.name) for picture in pictures]
    missing = sum(rows is None for rows in present)
    entries = sum(len(event) for event in detections.values())
    if entries and missing == len(pictures):
        first = next(f"{event}/{name}" for event, names in detections.items() for name in names)
        raise DataError(f"{ground_truth.source}: lists none of the pictures detected in, of which {first} is one")
    found = _match(pictures, [_checked(p, rows) for p, rows in zip(pictures, present, strict=True)])
    ap = {}
    for setting in SETTINGS:
        counted = np.concatenate([picture.counted[setting] for picture in pictures])
        ap[setting] = _average_precision(found, counted)
    protocol = (
        f"WIDER FACE official: {THRESHOLDS} thresholds, scores normalised over the set, "
        f"IoU >= {IOU_THRESHOLD} with +1 px sides; {inference}"
    )
    return WiderResult(
        **ap, protocol=protocol, pictures=len(pictures), missing=missing, unknown=entries - len(pictures) + missing
    )


def _checked(picture: WiderPicture, rows: np.ndarray | None) -> np.ndarray:
    if rows is None or len(rows) == 0:
        return np.zeros((0, 5))
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != 5 or not np.isfinite(rows).all():
        raise ValueError(f"{picture.event}/{picture.name}: expected finite (N, 5) x y w h score, got {rows.shape}")
    return rows


def _match(pictures: tuple[WiderPicture, ...], rows: list[np.ndarray]) -> _Found:
    levels = _levels(np.concatenate([part[:, 4] for part in rows]))
    faces = []
    first_face = 0
    for picture, part in zip(pictures, rows, strict=True):
        if len(picture.boxes) and len(part):
            own = _face_of(part, picture.boxes)
            faces.append(np.where(own < 0, -1, own + first_face))
        first_face += len(picture.boxes)
    with_faces = np.repeat([len(picture.boxes) > 0 for picture in pictures], [len(part) for part in rows])
    return _Found(levels[with_faces], np.concatenate([np.zeros(0, np.int64), *faces]))


def _levels(scores: np.ndarray) -> np.ndarray:
    """The place of the first (highest) threshold that each normalised score reaches, 0 to 999."""
    if not len(scores):
        return np.zeros(0, np.int64)
    lowest = scores.min()
    # The official search for the highest score starts at this number, which shows where all scores are negative.
    highest = max(scores.max(), np.finfo(np.float32).tiny)
    normalised = (scores - lowest) / (highest - lowest) if highest > lowest else np.ones_like(scores)
    thresholds = 1 - np.arange(1, THRESHOLDS + 1) / THRESHOLDS
    return THRESHOLDS - np.searchsorted(thresholds[::-1], normalised, side="right")


def _face_of(rows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The face that each detection overlaps most, ``(N,)``, or -1 where that is less than the IoU threshold."""
    x1, y1, wide, high = np.ascontiguousarray(rows.T[:4])
    x2, y2 = x1 + wide, y1 + high
    face_x1, face_y1, face_wide, face_high = boxes.T[:, :, None]
    face_x2, face_y2 = face_x1 + face_wide, face_y1 + face_high
    # Sums in the official order, so that an IoU of exactly one half falls on the same side.
    with np.errstate(all="ignore"):
        overlap = np.minimum(x2, face_x2) - np.maximum(x1, face_x1)
        overlap += 1
        tall = np.minimum(y2, face_y2) - np.maximum(y1, face_y1)
        tall += 1
        apart = (overlap <= 0) | (tall <= 0)
        overlap *= tall
        union = (x2 - x1 + 1) * (y2 - y1 + 1) + (face_x2 - face_x1 + 1) * (face_y2 - face_y1 + 1)
        union -= overlap
        overlap /= union
    overlap[apart] = 0
    face = np.full(len(rows), -1)
    reached = np.flatnonzero((overlap >= IOU_THRESHOLD).any(axis=0))
    face[reached] = overlap[:, reached].argmax(axis=0)
    return face


def _average_precision(found: _Found, counted: np.ndarray) -> float:
    """AP when only the faces marked in ``counted`` ``(G,)`` bool count."""
    total = np.count_nonzero(counted)
    if not total:
        return float("nan")
    on_face = found.face >= 0
    judged = ~on_face
    judged[on_face] = counted[found.face[on_face]]
    # A face is found from the threshold of its best detection on, so neither order nor ties matter.
    best = np.full(len(counted), THRESHOLDS)
    np.minimum.at(best, found.face[on_face], found.level[on_face])
    proposals = _reaching(found.level[judged])
    right = _reaching(best[counted & (best < THRESHOLDS)])
    precision = np.divide(right, proposals, out=np.zeros(THRESHOLDS), where=proposals > 0)
    return _area(right / total, precision)


def _reaching(levels: np.ndarray) -> np.ndarray:
    """How many detections reach each threshold, ``(1000,)``, highest threshold first."""
    return np.cumsum(np.bincount(levels, minlength=THRESHOLDS))


def _area(recall: np.ndarray, precision: np.ndarray) -> float:
    recall = np.concatenate([[0.0], recall])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))
