"""How well a network tells positive crops from negative ones, and where it puts boxes and points."""

from __future__ import annotations

import numpy as np


def ranking_precision(positive: np.ndarray, negative: np.ndarray) -> float:
    """Average precision of scores: the area under the precision envelope over all recalls, ties entering together.

    NaN without a positive. Precision depends on how many negatives there are, so compare it on one set of crops only.
    """
    if not len(positive):
        return float("nan")
    scores = np.concatenate([positive, negative])
    right = np.arange(len(scores)) < len(positive)
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(right[order])[ends]
    precision = np.maximum.accumulate((hits / (ends + 1))[::-1])[::-1]
    return float((np.diff(hits, prepend=0) * precision).sum() / len(positive))


def box_overlaps(answered: np.ndarray, true: np.ndarray) -> np.ndarray:
    """IoU ``(N,)`` of boxes given as offsets ``(N, 4)`` from the corners of their crop, over its side."""
    square = np.array([0, 0, 1, 1], np.float32)
    left, right = answered + square, true + square
    sides = np.minimum(left[:, 2:], right[:, 2:]) - np.maximum(left[:, :2], right[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = sum(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (left, right))
    return np.divide(shared, areas - shared, out=np.zeros_like(shared), where=areas > shared)


def mean_distance(answered: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of ``(N, 10)`` points, in sides of their crops; unknown points (NaN) are left out."""
    distances = np.linalg.norm((answered - true).reshape(-1, 5, 2), axis=2)
    known = distances[~np.isnan(distances)]
    return float(known.mean()) if len(known) else float("nan")
