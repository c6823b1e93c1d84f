"""Every sample in a fresh order each epoch; with weights, that many systematic draws in their proportion."""

from __future__ import annotations

from ligera.train.samplers.plan import EpochPlan
from ligera.train.samplers.pool import Pool, order_stream
from ligera.train.samplers.state import identity
from ligera.train.samplers.unmoved import Unmoved


class FullSampler(Unmoved):
    """All rows of ``pool``."""

    def __init__(self, pool: Pool, seed: int) -> None:
        super().__init__(identity("full", pool, seed))
        self._pool, self._seed = pool, seed
        self.fewest_rows = pool.per_epoch

    def plan(self, epoch: int) -> EpochPlan:
        return EpochPlan.even(self._pool.shown(self._pool.rows, order_stream(self._seed, epoch)))
