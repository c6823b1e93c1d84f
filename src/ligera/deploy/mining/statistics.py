"""The figures of the paper's table 2: how many candidates of each kind, their least, largest and mean IoU.

In: candidates, picture by picture. Out: JSON-ready figures that add up; a histogram of IoU with ``BINS`` bins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ligera.data.crops import KINDS
from ligera.deploy.mining.candidates import Candidates

__all__ = ["BINS", "picture_figures", "summed"]

BINS = 40
EVERY = "all"


def picture_figures(found: Candidates) -> dict[str, dict[str, Any]]:
    """For each kind there is: ``count``, ``least``, ``largest`` and ``sum`` of IoU, and ``bins``, the filled ones."""
    figures = {}
    for code, kind in enumerate(KINDS):
        ious = found.ious[found.kinds == code].astype(np.float64)
        if len(ious):
            places, counts = np.unique(np.minimum(ious * BINS + 1e-6, BINS - 1).astype(int), return_counts=True)
            figures[kind] = {
                "count": len(ious),
                "least": float(ious.min()),
                "largest": float(ious.max()),
                "sum": float(ious.sum()),
                "bins": {str(place): int(count) for place, count in zip(places, counts, strict=True)},
            }
    return figures


def summed(pictures: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Figures of all pictures, for each of ``KINDS`` and, without landmark crops, for ``all`` that was analysed:
    ``count``, ``min_iou``, ``max_iou``, ``mean_iou`` (``None`` where there is none) and ``bins``, ``BINS`` of them."""
    sums = {kind: _Sum() for kind in (*KINDS, EVERY)}
    for figures in pictures:
        for kind in KINDS:
            if kind in figures:
                sums[kind].add(figures[kind])
                if kind != "landmark":
                    sums[EVERY].add(figures[kind])
    return {kind: one.report() for kind, one in sums.items()}


class _Sum:
    def __init__(self) -> None:
        self.count = 0
        self.least, self.largest = math.inf, -math.inf
        self.total = 0.0
        self.bins = [0] * BINS

    def add(self, figures: Mapping[str, Any]) -> None:
        self.count += figures["count"]
        self.least = min(self.least, figures["least"])
        self.largest = max(self.largest, figures["largest"])
        self.total += figures["sum"]
        for place, count in figures["bins"].items():
            self.bins[int(place)] += count

    def report(self) -> dict[str, Any]:
        known = self.count > 0
        return {
            "count": self.count,
            "min_iou": round(self.least, 6) if known else None,
            "max_iou": round(self.largest, 6) if known else None,
            "mean_iou": round(self.total / self.count, 6) if known else None,
            "bins": self.bins,
        }
