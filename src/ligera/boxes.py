"""Boxes as pure functions on arrays: area, IoU, non-maximum suppression, clipping.

Every box array is ``(N, 4)`` ``x1 y1 x2 y2`` in pixels; areas are ``(x2 - x1) * (y2 - y1)`` as in COCO and torchvision
(the WIDER FACE protocol's +1-pixel convention lives with that protocol). Suppression never allocates an N x N
matrix, so 100,000 boxes are as safe as ten.
"""

from __future__ import annotations

import numpy as np

__all__ = ["area", "clip", "iou", "nms", "soft_nms"]

_SMALL = 192  # boxes: up to here one matrix of all pairs is the quickest
_FEW_PAIRS = 1 << 16  # up to here comparing all pairs beats sorting
_BATCH = 1 << 18  # pairs held in memory at once


def area(boxes: np.ndarray) -> np.ndarray:
    """Area of each box, ``(N,)`` px²; negative extents count as zero."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return sides[:, 0] * sides[:, 1]


def iou(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair, ``(N, M)``; two empty boxes give 0."""
    corner = np.maximum(left[:, None, :2], right[None, :, :2])
    sides = np.clip(np.minimum(left[:, None, 2:], right[None, :, 2:]) - corner, 0, None)
    overlap = sides[..., 0] * sides[..., 1]
    union = area(left)[:, None] + area(right)[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def clip(boxes: np.ndarray, width: float, height: float) -> np.ndarray:
    """Boxes cut to a picture of ``width`` x ``height`` pixels."""
    return np.clip(boxes, 0, np.array([width, height, width, height], boxes.dtype))


def _overlaps(box: np.ndarray, boxes: np.ndarray, areas: np.ndarray, own_area: float) -> np.ndarray:
    wide = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    high = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    overlap = np.clip(wide, 0, None) * np.clip(high, 0, None)
    union = own_area + areas - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def nms(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float, limit: int | None = None) -> np.ndarray:
    """Greedy non-maximum suppression: indices kept ``(K,)``, best score first, ties in input order.

    A box falls when its IoU with a kept one is above ``iou_threshold`` (0 to 1, else ``ValueError``); ``limit`` stops
    after that many are kept. Equal to ``torchvision.ops.nms`` (same rule, tie order and rounding: float32 boxes are
    compared in float32) while using memory linear in N. Boxes without area, or with NaN, overlap nothing and stay.
    """
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold: expected 0 to 1, got {iou_threshold}")
    boxes = np.asarray(boxes)
    order = np.argsort(-np.asarray(scores), kind="stable")
    precision = np.float32 if boxes.dtype in (np.float32, np.float16) else np.float64
    x1, y1, x2, y2 = boxes[order].reshape(-1, 4).T.astype(precision)
    wanted = len(order) if limit is None else max(0, limit)
    with np.errstate(invalid="ignore", over="ignore"):
        sizes = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
        solid = np.isfinite(sizes) & (sizes > 0)
        columns = np.stack([x1, y1, x2, y2, sizes])[:, solid]
        survivors = _survivors(columns, np.float64(iou_threshold), wanted)
    kept = ~solid
    kept[np.flatnonzero(solid)[survivors]] = True
    return order[kept][:wanted]


def _survivors(columns: np.ndarray, threshold: np.float64, limit: int) -> np.ndarray:
    """Places that greedy suppression keeps among ``columns`` ``(5, N)`` ``x1 y1 x2 y2 area``, best first.

    Keeping the better half first, then the rest that it left standing, is the same greedy order; it lets many kept
    boxes be held against many others at once, and a crowd of near-copies falls while the pieces are still small.
    """
    if columns.shape[1] <= _SMALL:
        return _one_by_one(columns, threshold, limit)
    half = columns.shape[1] // 2
    kept = _survivors(columns[:, :half], threshold, limit)
    if len(kept) >= limit:
        return kept
    rest = half + np.flatnonzero(~_fallen(columns[:, kept], columns[:, half:], threshold))
    return np.concatenate([kept, rest[_survivors(columns[:, rest], threshold, limit - len(kept))]])


def _one_by_one(columns: np.ndarray, threshold: np.float64, limit: int) -> np.ndarray:
    stands = np.ones(columns.shape[1], dtype=bool)
    falls = _above(columns[:, :, None], columns[:, None, :], threshold)
    kept: list[int] = []
    for place in range(columns.shape[1]):
        if stands[place] and len(kept) < limit:
            kept.append(place)
            stands &= ~falls[place]
    return np.array(kept, dtype=np.int64)


def _above(left: np.ndarray, right: np.ndarray, threshold: np.float64) -> np.ndarray:
    """Whether the IoU of each column of ``left`` with its column of ``right`` exceeds ``threshold``."""
    overlap = np.minimum(left[2], right[2])
    overlap -= np.maximum(left[0], right[0])
    high = np.minimum(left[3], right[3])
    high -= np.maximum(left[1], right[1])
    np.maximum(overlap, 0, out=overlap)
    overlap *= np.maximum(high, 0, out=high)
    union = np.add(left[4], right[4], out=high)
    union -= overlap
    overlap /= union
    return overlap > threshold


def _fallen(winners: np.ndarray, rest: np.ndarray, threshold: np.float64) -> np.ndarray:
    """Which columns of ``rest`` overlap some column of ``winners`` by more than ``threshold``, ``(N,)`` bool.

    An IoU above t bounds each axis: the sides' ratio is above t, and the centres are nearer than
    ``(1 - t) / (1 + t)`` times half the sum of the sides. So ``rest`` is taken by octave of its longer side, laid in
    rows as high as that octave's largest side and sorted along them; a winner meets only what lies in its reach.
    """
    if winners.shape[1] * rest.shape[1] <= _FEW_PAIRS:
        return _above(winners[:, :, None], rest[:, None, :], threshold).any(axis=0)
    # A hair less than asked: the bound is exact, the IoU itself is rounded.
    t = float(threshold) - 1e-5
    reach = (1 - t) / (1 + t) / 2
    fallen = np.zeros(rest.shape[1], dtype=bool)
    win_x, win_y, win_wide, win_high = _centres(winners)
    x, y, wide, high = _centres(rest)
    win_long = np.maximum(win_wide, win_high)
    octave = np.frexp(np.maximum(wide, high))[1]
    for exponent in np.unique(octave):
        side = np.ldexp(1.0, exponent)
        waiting = np.flatnonzero((win_long > t * side / 2) & (win_long * t < side))
        members = np.flatnonzero(octave == exponent)
        while len(waiting) and len(members):
            reaches = reach * (win_wide[waiting] + side), reach * (win_high[waiting] + side)
            left, right, met = _near((win_x[waiting], win_y[waiting]), reaches, (x[members], y[members]), side)
            over = _above(winners[:, waiting[left]], rest[:, members[right]], threshold)
            fallen[members[right[over]]] = True
            waiting, members = waiting[met:], members[~fallen[members]]
    return fallen


def _centres(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x1, y1, x2, y2 = columns[:4].astype(np.float64)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def _near(
    centres: tuple[np.ndarray, np.ndarray],
    reaches: tuple[np.ndarray, np.ndarray],
    points: tuple[np.ndarray, np.ndarray],
    row: float,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Places (i, j) of every point ``j`` within reach of centre ``i``, and of some farther ones.

    Only the first centres are met, as many as ``_BATCH`` pairs allow; their number comes third. ``row`` is the height
    in pixels of the bands that the points are laid in.
    """
    x, y = points
    rows, row_of = np.unique(np.floor(y / row), return_inverse=True)
    sorted_x = np.sort(x)
    # Whole-number keys, so that a band's end and the next one's begin never blur.
    key = row_of * len(x) + np.searchsorted(sorted_x, x)
    order = np.argsort(key, kind="stable")
    key = key[order]
    top = np.searchsorted(rows, np.floor((centres[1] - reaches[1]) / row))
    bottom = np.searchsorted(rows, np.floor((centres[1] + reaches[1]) / row), side="right")
    met = _fitting(bottom - top)
    who, band = _spread(top[:met], bottom[:met])
    left = np.searchsorted(sorted_x, (centres[0] - reaches[0])[:met])
    right = np.searchsorted(sorted_x, (centres[0] + reaches[0])[:met], side="right")
    begin = np.searchsorted(key, band * len(x) + left[who])
    end = np.searchsorted(key, band * len(x) + right[who])
    met = _fitting(np.bincount(who, end - begin, minlength=met))
    mine = np.searchsorted(who, met)
    which, place = _spread(begin[:mine], end[:mine])
    return who[which], order[place], met


def _fitting(counts: np.ndarray) -> int:
    """How many of the first ``counts`` sum to ``_BATCH`` at most; at least one."""
    return max(1, int(np.searchsorted(np.cumsum(counts), _BATCH, side="right")))


def _spread(begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each range ``begin[i]:end[i]`` written out as pairs (i, place)."""
    counts = end - begin
    who = np.repeat(np.arange(len(counts)), counts)
    return who, np.arange(len(who)) + np.repeat(begin - (np.cumsum(counts) - counts), counts)


def soft_nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    sigma: float = 0.5,
    score_threshold: float = 1e-3,
    limit: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian soft-NMS (Bodla et al. 2017): indices kept, best first, and their decayed scores.

    A neighbour's score is multiplied by ``exp(-IoU² / sigma)`` instead of dropping to zero.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    decayed = np.array(scores, dtype=np.float64)
    areas = area(boxes)
    rest = np.arange(len(boxes))
    kept: list[int] = []
    while len(rest) and (limit is None or len(kept) < limit):
        place = int(np.argmax(decayed[rest]))
        best = int(rest[place])
        if decayed[best] < score_threshold:
            break
        kept.append(best)
        rest = np.delete(rest, place)
        overlaps = _overlaps(boxes[best], boxes[rest], areas[rest], areas[best])
        decayed[rest] *= np.exp(-(overlaps**2) / sigma)
        rest = rest[decayed[rest] >= score_threshold]
    index = np.array(kept, dtype=np.int64)
    return index, decayed[index]
