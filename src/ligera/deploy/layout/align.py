"""RoIAlign (He et al. 2017) over a pyramid: boxes of any size -> features of one size.

In: maps ``(H, W, C)`` float32 of strides 4, 8, 16, 32, finest first, channels last so that a point's features lie
together; boxes ``(N, 4)`` px of the input. Out: ``(N, side, side, C)`` float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ligera.models.layout_specs import LEVEL_STRIDES

__all__ = ["align", "box_levels"]

CANONICAL_LEVEL = 2  # the place of stride 16 among the levels
_TOGETHER = 64  # boxes whose weights are held at once


def box_levels(boxes: np.ndarray, canonical_px: float) -> np.ndarray:
    """The level ``(N,)`` that each box is pooled from: that of stride 16 for ``canonical_px`` squared, by octaves."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    with np.errstate(divide="ignore"):
        octaves = np.log2(np.sqrt(area) / np.float32(canonical_px))
    # torchvision's hair of 1e-6 keeps boxes of exactly an octave on the coarser side; so do the counts from 4
    levels = np.floor(np.float32(CANONICAL_LEVEL + 2) + octaves + np.float32(1e-6)) - 2
    return np.clip(levels, 0, len(LEVEL_STRIDES) - 1).astype(np.int64)


def align(maps: Sequence[np.ndarray], boxes: np.ndarray, side: int, *, samples: int, canonical_px: float) -> np.ndarray:
    """Pool each box from its level into ``side`` x ``side`` bins, each the mean of ``samples`` x ``samples`` points."""
    pooled = np.empty((len(boxes), side, side, maps[0].shape[2]), np.float32)
    levels = box_levels(boxes, canonical_px)
    for level, (features, stride) in enumerate(zip(maps, LEVEL_STRIDES, strict=True)):
        places = np.flatnonzero(levels == level)
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]
            _pool(features, boxes[some] * np.float32(1 / stride), samples, pooled, some)
    return pooled


def _pool(features: np.ndarray, boxes: np.ndarray, samples: int, pooled: np.ndarray, places: np.ndarray) -> None:
    """Fill ``pooled[places]`` from boxes in the map's own cells.

    Bilinear weights are products of a row's and a column's, and so are means over a grid of points: a bin is two matrix
    products over the part of the map under its box, which is an order faster than gathering the points.
    """
    side = pooled.shape[1]
    down, top, bottom = _weights(boxes[:, 1], boxes[:, 3], features.shape[0], side, samples)
    along, left, right = _weights(boxes[:, 0], boxes[:, 2], features.shape[1], side, samples)
    for i, place in enumerate(places):
        rows, columns = slice(top[i], bottom[i]), slice(left[i], right[i])
        under = features[rows, columns]
        merged = down[i, :, rows] @ under.reshape(len(under), -1)
        np.matmul(along[i, :, columns], merged.reshape(side, -1, features.shape[2]), out=pooled[place])


def _weights(
    begin: np.ndarray, end: np.ndarray, cells: int, side: int, samples: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Along one axis: what each cell gives to each bin, ``(N, side, cells)``, the first that gives and the last + 1."""
    length = np.maximum(end - begin, np.float32(1))
    step = length / np.float32(side)
    bins, inside = np.divmod(np.arange(side * samples), samples)
    offsets = (inside.astype(np.float32) + np.float32(0.5)) * step[:, None] / np.float32(samples)
    points = begin[:, None] + bins.astype(np.float32) * step[:, None] + offsets
    # Points past the map count as zero: those of a box in its last cell, as a box counts as one cell wide at least.
    counts = (points <= cells).astype(np.float32)
    points = np.clip(points, 0, cells - 1)
    before = points.astype(np.int64)
    after = np.minimum(before + 1, cells - 1)
    later = points - before
    row = (np.arange(len(begin))[:, None] * side + bins) * cells
    count = len(begin) * side * cells
    given = np.bincount((row + before).ravel(), ((1 - later) * counts).ravel(), count)
    given += np.bincount((row + after).ravel(), (later * counts).ravel(), count)
    weights = (given / samples).astype(np.float32).reshape(len(begin), side, cells)
    return weights, before[:, 0], after[:, -1] + 1
