"""The rows that may be shown, and how a part of them becomes an epoch: each once, or drawn by weight.

Chance comes from ``order_stream`` and ``choice_stream``: independent of each other, fixed by seed and epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """``rows (n,)`` int64, rising: those of a data set of ``size`` rows that have a weight above 0.

    ``weights (size,)`` float64 only matter with ``draws``, how many samples an epoch over all rows draws; with
    ``draws`` None an epoch shows each row once.
    """

    size: int
    rows: np.ndarray
    weights: np.ndarray
    draws: int | None

    @property
    def per_epoch(self) -> int:
        """Samples of an epoch over all rows."""
        return self.count(len(self.rows))

    def count(self, rows: int) -> int:
        """Samples of an epoch over ``rows`` of the pool's rows: the same share of them as of the rows."""
        return rows if self.draws is None else round(self.draws * rows / len(self.rows))

    def shown(self, subset: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """``count(len(subset))`` rows in a fresh order: each of ``subset`` once, or drawn from it by weight."""
        if self.draws is None:
            return generator.permutation(subset)
        weights = self.weights[subset]
        drawn = systematic(weights / weights.sum(), self.count(len(subset)), generator)
        return generator.permutation(subset[drawn])


def make_pool(size: int, weights: np.ndarray | None, samples_per_epoch: int | None) -> Pool:
    """The pool of a data set of ``size`` rows; ``weights (size,)`` say how often each is drawn, None: alike.

    With weights that differ an epoch is always drawn, as many samples as there are rows if ``samples_per_epoch`` is
    None. Raises ``ValueError`` for weights that cannot be drawn by.
    """
    weights = np.ones(size) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (size,):
        raise ValueError(f"weights: expected {size}, one for each row, got shape {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError("weights: expected finite numbers from 0 up, some of them above 0")
    rows = np.flatnonzero(weights).astype(np.int64)
    differ = bool((weights[rows] != weights[rows[0]]).any())
    return Pool(size, rows, weights, len(rows) if samples_per_epoch is None and differ else samples_per_epoch)


def systematic(weights: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """``count`` indices in proportion to ``weights`` (summing to 1), each within one of its expected number."""
    order = generator.permutation(len(weights))
    ends = np.cumsum(weights[order])
    ticks = (np.arange(count) + generator.random()) / count
    return order[np.minimum(np.searchsorted(ends, ticks, side="right"), len(weights) - 1)]


def choose(rows: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """``count`` different ones of ``rows``, each equally likely, rising."""
    return np.sort(generator.permutation(rows)[:count])


def order_stream(seed: int, epoch: int) -> np.random.Generator:
    """The chance that orders an epoch and draws by weight."""
    return np.random.default_rng([seed, epoch, 0])


def choice_stream(seed: int, epoch: int) -> np.random.Generator:
    """The chance that decides which rows ``epoch`` is about."""
    return np.random.default_rng(np.random.SeedSequence([seed, epoch], spawn_key=(1,)))
