"""Prior boxes of a dense detector, in numpy so that training and every runtime share them (as in RetinaFace)."""

from __future__ import annotations

import functools
import math

import numpy as np

from ligera.records import PriorSpec


@functools.lru_cache(maxsize=32)
def prior_boxes(height: int, width: int, spec: PriorSpec) -> np.ndarray:
    """Priors of an input of ``height`` x ``width`` px: ``(P, 4)`` float32 ``centre x, centre y, side, side`` in pixels.

    Order: level by level, row by row, cell by cell, then the sizes of that level: the order in which a head's channels
    are read. Level i has ``ceil(height / stride) * ceil(width / stride)`` cells. The result is cached and read-only.
    """
    levels = []
    for stride, sizes in zip(spec.strides, spec.sizes, strict=True):
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        y, x, side = np.meshgrid(
            (np.arange(rows) + 0.5) * stride, (np.arange(columns) + 0.5) * stride, np.array(sizes), indexing="ij"
        )
        levels.append(np.stack([x, y, side, side], axis=-1).reshape(-1, 4))
    priors = np.concatenate(levels).astype(np.float32)
    priors.flags.writeable = False
    return priors


def prior_count(size: tuple[int, int], spec: PriorSpec) -> int:
    """How many rows ``prior_boxes`` has for an input of (height, width) px, without making them."""
    return sum(
        math.ceil(size[0] / stride) * math.ceil(size[1] / stride) * len(sides)
        for stride, sides in zip(spec.strides, spec.sizes, strict=True)
    )
