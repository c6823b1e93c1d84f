"""Average precision at one IoU for plain labels with ignore regions, whole or by face size, with its uncertainty.

In: pairs of :class:`Detections` and :class:`Targets`, one for each picture, boxes in px of that picture, one class.
Out: :class:`ApResult`. Rules: greedy matching by score (see :mod:`ligera.metrics.matching`), areas as in COCO; a
detection on no face that has at least half of its own area in one ignore region is left out, neither right nor wrong;
AP is the area under the precision envelope over all recalls, detections of equal score entering together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ligera.boxes import area
from ligera.metrics.matching import match
from ligera.records import Detections, Targets

__all__ = [
    "SIZE_EDGES_PX",
    "ApInterval",
    "ApResult",
    "average_precision",
    "average_precision_by_size",
    "average_precision_interval",
    "judge",
]

SIZE_EDGES_PX = (16.0, 32.0, 96.0)
_IGNORED_SHARE = 0.5

Pairs = Iterable[tuple[Detections, Targets]]


@dataclass(frozen=True, slots=True, eq=False)
class ApResult:
    """AP, 0 to 1, and its curve.

    ``recall`` and ``precision`` are those of all detections with at least ``operating_score``. The curve is
    ``recalls``, ``precisions`` and ``scores``, ``(M,)`` each, one point for each distinct score, highest first. AP and
    recall are NaN without ``faces``, precision where nothing reaches the score: unknown is not zero.
    """

    ap: float
    recall: float
    precision: float
    operating_score: float
    recalls: np.ndarray
    precisions: np.ndarray
    scores: np.ndarray
    faces: int
    pictures: int
    protocol: str


@dataclass(frozen=True, slots=True)
class ApInterval:
    """AP with the range that holds ``level`` of the APs of ``rounds`` redrawn sets of pictures."""

    ap: float
    low: float
    high: float
    level: float
    rounds: int


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The detections that count in one set of pictures, best score first, and how many faces each picture has."""

    scores: np.ndarray
    right: np.ndarray
    picture: np.ndarray
    faces: np.ndarray


def average_precision(pairs: Pairs, iou_threshold: float = 0.5, *, operating_score: float = 0.5) -> ApResult:
    """AP of all pictures together; raises ``ValueError`` for more than one class or an impossible threshold."""
    judged = _judge_all(pairs, iou_threshold, 0.0, np.inf)
    return _result(judged, operating_score, f"AP@{iou_threshold:g}, all points, ignore regions left out")


def average_precision_by_size(
    pairs: Pairs,
    iou_threshold: float = 0.5,
    *,
    edges_px: tuple[float, ...] = SIZE_EDGES_PX,
    operating_score: float = 0.5,
) -> dict[str, ApResult]:
    """AP of each range of face sizes (long side, px), by name, as ``"16-32 px"``; the lower edge belongs to a range.

    In each, faces of other sizes are left out with what was detected on them, and so are detections of another size
    on no face.
    """
    pairs = list(pairs)
    edges = (0.0, *edges_px, np.inf)
    results = {}
    for low, high in pairwise(edges):
        name = f">={low:g} px" if high == np.inf else f"<{high:g} px" if low == 0 else f"{low:g}-{high:g} px"
        protocol = f"AP@{iou_threshold:g}, all points, ignore regions and long sides not {name} left out"
        results[name] = _result(_judge_all(pairs, iou_threshold, low, high), operating_score, protocol)
    return results


def average_precision_interval(
    pairs: Pairs, iou_threshold: float = 0.5, *, level: float = 0.95, rounds: int = 1000, seed: int = 0
) -> ApInterval:
    """Percentile bootstrap over pictures: how far AP moves when other pictures of the same kind are drawn."""
    if not 0 < level < 1 or rounds < 1:
        raise ValueError(f"expected level between 0 and 1 and at least one round, got {level} and {rounds}")
    judged = _judge_all(pairs, iou_threshold, 0.0, np.inf)
    count = len(judged.faces)
    random = np.random.default_rng(seed)
    redrawn = np.full(rounds, np.nan)
    for place in range(rounds if count else 0):
        redrawn[place] = _ap(judged, random.multinomial(count, np.full(count, 1 / count)))
    known = redrawn[~np.isnan(redrawn)]
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if len(known) else (np.nan, np.nan)
    return ApInterval(_ap(judged), float(low), float(high), level, rounds)


def judge(pairs: Pairs, iou_threshold: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Scores ``(M,)``, best first, of the detections that count, and whether each is on a face, ``(M,)`` bool."""
    judged = _judge_all(pairs, iou_threshold, 0.0, np.inf)
    return judged.scores, judged.right


def _judge_all(pairs: Pairs, iou_threshold: float, low_px: float, high_px: float) -> _Judged:
    parts = [_judge(found, targets, iou_threshold, low_px, high_px) for found, targets in pairs]
    if not parts:
        nothing = np.zeros(0)
        return _Judged(nothing, nothing.astype(bool), nothing.astype(np.int64), nothing.astype(np.int64))
    scores, right, faces = (list(column) for column in zip(*parts, strict=True))
    picture = np.repeat(np.arange(len(parts)), [len(part) for part in scores])
    scores = np.concatenate(scores)
    order = np.argsort(-scores, kind="stable")
    return _Judged(scores[order], np.concatenate(right)[order], picture[order], np.array(faces))


def _judge(
    found: Detections, targets: Targets, iou_threshold: float, low_px: float, high_px: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores of the detections that count, which of them are right, and the number of faces that count."""
    if found.labels.any() or targets.labels.any():
        raise ValueError("labels: expected one class, label 0 everywhere")
    sized = _has_size(targets.boxes, low_px, high_px)
    face = match(found, targets.boxes, iou_threshold, sized)
    on_face = face >= 0
    right = np.zeros(len(found), dtype=bool)
    right[on_face] = sized[face[on_face]]
    stray = ~on_face & _has_size(found.boxes, low_px, high_px)
    counts = right | (stray & (_share_inside(found.boxes, targets.ignore) < _IGNORED_SHARE))
    return found.scores[counts].astype(np.float64), right[counts], int(sized.sum())


def _has_size(boxes: np.ndarray, low_px: float, high_px: float) -> np.ndarray:
    long_side = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    # A box of no known size is no better than any other wrong one.
    return ~np.isfinite(long_side) | ((long_side >= low_px) & (long_side < high_px))


def _share_inside(boxes: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """How much of each box's own area lies in the region that covers most of it, ``(N,)``, 0 to 1."""
    if not len(boxes) or not len(regions):
        return np.zeros(len(boxes))
    corner = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    sides = np.maximum(np.minimum(boxes[:, None, 2:], regions[None, :, 2:]) - corner, 0)
    covered = sides.prod(axis=2).max(axis=1)
    own = area(boxes)
    return np.divide(covered, own, out=np.zeros(len(boxes)), where=own > 0)


def _curve(judged: _Judged, times: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recalls, precisions and scores, one point for each distinct score; pictures count ``times`` ``(P,)`` over."""
    weight = np.ones(len(judged.scores)) if times is None else times[judged.picture].astype(np.float64)
    faces = float(judged.faces.sum() if times is None else judged.faces @ times)
    last = np.flatnonzero(np.diff(judged.scores, append=-np.inf))
    right = np.cumsum(weight * judged.right)[last]
    counted = np.cumsum(weight)[last]
    recalls = right / faces if faces else np.full(len(last), np.nan)
    precisions = np.divide(right, counted, out=np.zeros(len(last)), where=counted > 0)
    return recalls, precisions, judged.scores[last]


def _ap(judged: _Judged, times: np.ndarray | None = None) -> float:
    if not (judged.faces if times is None else judged.faces * times).any():
        return float("nan")
    recalls, precisions, _ = _curve(judged, times)
    envelope = np.maximum.accumulate(precisions[::-1])[::-1]
    return float(np.sum(np.diff(recalls, prepend=0.0) * envelope))


def _result(judged: _Judged, operating_score: float, protocol: str) -> ApResult:
    recalls, precisions, scores = _curve(judged)
    faces = int(judged.faces.sum())
    reach = np.count_nonzero(scores >= operating_score)
    recall = (float(recalls[reach - 1]) if reach else 0.0) if faces else float("nan")
    precision = float(precisions[reach - 1]) if reach else float("nan")
    return ApResult(
        _ap(judged), recall, precision, operating_score, recalls, precisions, scores, faces, len(judged.faces), protocol
    )
