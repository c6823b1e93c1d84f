"""A plan cut into batches: seeded, split between processes without overlap, entered at any step.

A key holds all that fixes a sample, so any worker of any process may make any sample, in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ligera.train.samplers import EpochPlan


@dataclass(frozen=True, slots=True)
class SampleKey:
    """The sample at ``position`` of ``epoch``: data set row ``index``, its chance seeded by all three and ``seed``.

    Its loss is multiplied by ``weight``.
    """

    seed: int
    epoch: int
    position: int
    index: int
    weight: float = 1.0

    def generator(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch, self.position, self.index])


def batches(
    plan: EpochPlan, *, seed: int, epoch: int, batch: int, rank: int = 0, world: int = 1, first_step: int = 0
) -> Iterator[list[SampleKey]]:
    """This process's keys of each global batch of ``batch`` samples, from ``first_step`` on.

    A global batch is the same whatever ``world`` is: process r of w takes its positions r, r + w, r + 2w ...

    The last ``len(plan) % batch`` samples of the plan are left out, so that all batches weigh alike and no process
    waits for one without a share. As each epoch has its own order these are others every time: who is left out today
    is as likely to be shown tomorrow as anyone else.
    """
    rows, weights = plan.rows.tolist(), plan.weights.tolist()
    for step in range(first_step, len(plan) // batch):
        positions = range(step * batch + rank, (step + 1) * batch, world)
        yield [SampleKey(seed, epoch, position, rows[position], weights[position]) for position in positions]
