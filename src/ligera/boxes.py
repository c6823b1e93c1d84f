"""Boxes as pure functions on arrays: area, IoU, non-maximum suppression, clipping.

Every box array is ``(N, 4)`` ``x1 y1 x2 y2`` in pixels; areas are ``(x2 - x1) * (y2 - y1)`` as in COCO and torchvision
(the WIDER FACE protocol's +1-pixel convention lives with that protocol). Nothing here allocates an N x N matrix, so
100,000 boxes are as safe as ten.
"""

from __future__ import annotations

import numpy as np

__all__ = ["area", "clip", "iou", "nms", "soft_nms"]


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
    """Greedy non-maximum suppression: indices kept, best score first, ties in input order.

    A box falls when its IoU with a kept one is above ``iou_threshold``; ``limit`` stops after that many are kept.
    Equal to ``torchvision.ops.nms`` (same rule, same tie order) while using memory linear in N.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_boxes = np.ascontiguousarray(boxes[order], dtype=np.float64)
    areas = area(sorted_boxes)
    kept: list[int] = []
    rest = np.arange(len(order))
    while len(rest) and (limit is None or len(kept) < limit):
        first, rest = rest[0], rest[1:]
        kept.append(int(first))
        if len(rest):
            overlaps = _overlaps(sorted_boxes[first], sorted_boxes[rest], areas[rest], areas[first])
            rest = rest[overlaps <= iou_threshold]
    return order[kept]


def soft_nms(
    boxes: np.ndarray, scores: np.ndarray, *, sigma: float = 0.5, score_threshold: float = 1e-3, limit: int | None = None
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
