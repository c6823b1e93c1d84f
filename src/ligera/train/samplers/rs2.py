"""RS2: a fresh random part of the samples every epoch.

Okanovic et al., "Repeated Random Sampling for Minimizing the Time-to-Accuracy of Learning", ICLR 2024, with and
without replacement between epochs. Without, the default: epochs walk through the whole set in random order and only
then start over, so every row is chosen once in 1 / alpha epochs, and at no time has one been chosen twice more than
another. An epoch in which a walk ends takes all that the walk still holds and opens the next walk with other rows: no
row comes twice in an epoch.
"""

from __future__ import annotations

import numpy as np

from ligera.train.samplers.plan import EpochPlan
from ligera.train.samplers.pool import Pool, choice_stream, choose, order_stream
from ligera.train.samplers.state import identity
from ligera.train.samplers.unmoved import Unmoved


class RS2Sampler(Unmoved):
    """``count`` rows of ``pool`` per epoch; with ``replacement`` each epoch chooses among all of them anew."""

    def __init__(self, pool: Pool, seed: int, count: int, *, replacement: bool = False) -> None:
        super().__init__(identity("rs2", pool, seed, count=count, replacement=replacement))
        self._pool, self._seed, self._count, self._replacement = pool, seed, count, replacement
        self.fewest_rows = pool.count(count)
        self._walked = 0
        self._left = pool.rows

    def plan(self, epoch: int) -> EpochPlan:
        return EpochPlan.even(self._pool.shown(self._chosen(epoch), order_stream(self._seed, epoch)))

    def _chosen(self, epoch: int) -> np.ndarray:
        if self._replacement:
            return choose(self._pool.rows, self._count, choice_stream(self._seed, epoch))
        if epoch < self._walked:
            self._walked, self._left = 0, self._pool.rows
        # the walk so far is only remembered: from any epoch it can be walked again
        while self._walked < epoch:
            _, self._left = self._stride(self._walked, self._left)
            self._walked += 1
        return self._stride(epoch, self._left)[0]

    def _stride(self, epoch: int, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows of ``epoch`` when its walk has ``left`` to show, and what is left after it."""
        generator = choice_stream(self._seed, epoch)
        if len(left) >= self._count:
            chosen = choose(left, self._count, generator)
            left = np.setdiff1d(left, chosen, assume_unique=True)
            return chosen, left if len(left) else self._pool.rows
        others = np.setdiff1d(self._pool.rows, left, assume_unique=True)
        new = choose(others, self._count - len(left), generator)
        return np.sort(np.concatenate([left, new])), np.setdiff1d(self._pool.rows, new, assume_unique=True)
