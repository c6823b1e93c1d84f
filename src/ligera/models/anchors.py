"""Anchors of a region proposal network, in numpy so that training, runtimes and those who choose anchors share them.

In: the padded size of the input in px and the (width, height) of the anchors of each level. Out: boxes ``(N, 4)``
float32 ``x1 y1 x2 y2`` in input pixels. As in torchvision, the anchors of a cell stand around its top left corner.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ligera.models.layout_specs import LEVEL_STRIDES, AnchorSides

__all__ = ["AnchorRecall", "anchor_boxes", "anchor_counts", "anchor_recall", "cell_anchors"]


def cell_anchors(sides: Iterable[tuple[float, float]]) -> np.ndarray:
    """(width, height) in px of each -> boxes ``(A, 4)`` float32 around the origin."""
    half = np.array(list(sides), np.float32) / 2
    return np.concatenate([-half, half], axis=1)


def anchor_counts(height: int, width: int, anchors: AnchorSides) -> tuple[int, ...]:
    """How many anchors each level has, for an input of ``height`` x ``width`` px, without making them."""
    return tuple(
        math.ceil(height / stride) * math.ceil(width / stride) * len(sides)
        for stride, sides in zip(LEVEL_STRIDES, anchors, strict=True)
    )


@functools.lru_cache(maxsize=8)
def anchor_boxes(height: int, width: int, anchors: AnchorSides) -> np.ndarray:
    """All anchors of an input of ``height`` x ``width`` px, ``(N, 4)``, cached and read-only.

    Order: level by level, row by row, cell by cell, then the anchors of that cell: the order of a head's channels.
    """
    levels = []
    for stride, sides in zip(LEVEL_STRIDES, anchors, strict=True):
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        y, x = np.meshgrid(np.arange(rows) * stride, np.arange(columns) * stride, indexing="ij")
        corners = np.stack([x, y, x, y], axis=-1).reshape(-1, 1, 4).astype(np.float32)
        levels.append((corners + cell_anchors(sides)).reshape(-1, 4))
    boxes = np.concatenate(levels)
    boxes.flags.writeable = False
    return boxes


@dataclass(frozen=True, slots=True)
class AnchorRecall:
    """How well anchors meet boxes before anything is learned.

    ``recall`` is the share of boxes that some anchor overlaps by an IoU of at least ``iou``; ``mean_iou`` the mean over
    boxes of the best anchor's.
    """

    iou: float
    recall: float
    mean_iou: float
    boxes: int


def anchor_recall(
    pages: Iterable[tuple[np.ndarray, tuple[int, int]]], anchors: AnchorSides, *, threshold: float = 0.5
) -> AnchorRecall:
    """Recall of ``anchors`` over ``pages``: each its boxes ``(N, 4)`` and its (height, width), in px of the input.

    Raises ``ValueError`` where there is no box at all.
    """
    overlaps = np.concatenate([np.zeros(0), *(_best_iou(boxes, size, anchors) for boxes, size in pages)])
    if not len(overlaps):
        raise ValueError("pages: expected at least one box")
    return AnchorRecall(threshold, float((overlaps >= threshold).mean()), float(overlaps.mean()), len(overlaps))


def _best_iou(boxes: np.ndarray, size: tuple[int, int], anchors: AnchorSides) -> np.ndarray:
    """The IoU of each box with the best anchor, ``(N,)``; of one shape that is the one whose centre is nearest."""
    boxes = boxes.astype(np.float64)
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    padded = np.array([size[1] + -size[1] % LEVEL_STRIDES[-1], size[0] + -size[0] % LEVEL_STRIDES[-1]])
    best = np.zeros(len(boxes))
    for stride, shapes in zip(LEVEL_STRIDES, anchors, strict=True):
        cells = np.clip(np.round(centres / stride), 0, padded // stride - 1)
        apart = np.abs(cells * stride - centres)
        for shape in np.array(shapes, np.float64):
            shared = np.minimum((sides + shape) / 2 - apart, np.minimum(sides, shape)).clip(0).prod(axis=1)
            best = np.maximum(best, shared / (sides.prod(axis=1) + shape.prod() - shared))
    return best
