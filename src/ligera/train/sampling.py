"""Which samples each step sees: seeded, saved in the checkpoint, split between processes without overlap.

A sampler decides an epoch's indices from (seed, epoch) alone or from what it has observed; ``batches`` cuts them into
keys. A key holds all that fixes a sample, so an epoch can be entered at any step and any worker may make any sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class SampleKey:
    """The sample at ``position`` of ``epoch``: data set row ``index``, its chance seeded by all three and ``seed``."""

    seed: int
    epoch: int
    position: int
    index: int

    def generator(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch, self.position, self.index])


class Sampler(Protocol):
    """What the loop needs of any way to choose samples."""

    def indices(self, epoch: int) -> np.ndarray:
        """Rows of the data set to show in ``epoch``, in order, ``(M,)`` int64."""

    def observe(self, epoch: int, metrics: dict[str, float]) -> None:
        """Told after each epoch's validation; a dynamic sampler changes its mind here."""

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs to go on bit for bit."""

    def restore(self, state: dict[str, Any]) -> None: ...


class FullSampler:
    """Every sample in a fresh order each epoch; with ``weights``, ``count`` systematic draws in their proportion."""

    def __init__(self, weights: np.ndarray, count: int | None, seed: int) -> None:
        self._weights = weights / weights.sum()
        self._count = count
        self._seed = seed

    def indices(self, epoch: int) -> np.ndarray:
        generator = np.random.default_rng([self._seed, epoch, 0])
        if self._count is None:
            return generator.permutation(len(self._weights))
        return generator.permutation(systematic(self._weights, self._count, generator))

    def observe(self, epoch: int, metrics: dict[str, float]) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


def systematic(weights: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """``count`` rows in proportion to ``weights`` (summing to 1), each row within one of its expected number."""
    order = generator.permutation(len(weights))
    ends = np.cumsum(weights[order])
    ticks = (np.arange(count) + generator.random()) / count
    return order[np.minimum(np.searchsorted(ends, ticks), len(weights) - 1)]


def batches(
    indices: np.ndarray, *, seed: int, epoch: int, batch: int, rank: int = 0, world: int = 1, first_step: int = 0
) -> Iterator[list[SampleKey]]:
    """This process's keys of each global batch from ``first_step`` on; an incomplete last batch is left out.

    A global batch is the same whatever ``world`` is: process r of w takes its positions r, r + w, r + 2w ...
    """
    for step in range(first_step, len(indices) // batch):
        positions = range(step * batch + rank, (step + 1) * batch, world)
        yield [SampleKey(seed, epoch, position, int(indices[position])) for position in positions]
