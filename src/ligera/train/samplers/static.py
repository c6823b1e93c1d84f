"""One random part of the samples, the same for the whole run: what dynamic training is measured against."""

from __future__ import annotations

from ligera.train.samplers.plan import EpochPlan
from ligera.train.samplers.pool import Pool, choice_stream, choose, order_stream
from ligera.train.samplers.state import identity
from ligera.train.samplers.unmoved import Unmoved


class StaticSampler(Unmoved):
    """``count`` rows of ``pool``: the part that a dynamic sampler of the same seed starts from."""

    def __init__(self, pool: Pool, seed: int, count: int) -> None:
        super().__init__(identity("static", pool, seed, count=count))
        self._pool, self._seed = pool, seed
        self._chosen = choose(pool.rows, count, choice_stream(seed, 0))
        self.fewest_rows = pool.count(count)

    def plan(self, epoch: int) -> EpochPlan:
        return EpochPlan.even(self._pool.shown(self._chosen, order_stream(self._seed, epoch)))
