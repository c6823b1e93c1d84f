"""InfoBatch: leave out some samples that the network already knows, and let the others of their kind count for them.

Qin et al., "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning", ICLR 2024. A sample is known when
the loss it had the last time it was shown is below the mean of all such losses; each known sample of an epoch is left
out with chance ``prune`` and the weight of those kept is 1 / (1 - prune), so that the expected gradient is that of all
samples. The last ``anneal`` of the epochs show everything, as does the first, before which no loss is known.

How many are kept is not left to chance: of m known samples (1 - prune) m, rounded up or down at random so that it is
that on average. Samples that were never shown are not known, nor are those whose loss was no finite number.

Losses of detectors are no harder than those of classifiers: they only need to be per picture and of one scale. A few
crowded pictures may lift the mean over almost all others; the share left out still never exceeds ``prune``. Where rows
are drawn by weight, the draws are made first and then left out one by one, which keeps the weights' proportions too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ligera.train.samplers.plan import EpochPlan
from ligera.train.samplers.pool import Pool, choice_stream, order_stream
from ligera.train.samplers.state import check_identity, identity, kept, taken


class InfoBatchSampler:
    """All rows of ``pool`` but for a share ``prune`` of the known ones, until the last ``anneal`` of ``epochs``."""

    wants_losses = True
    wants_score = False

    def __init__(self, pool: Pool, seed: int, *, prune: float, anneal: float, epochs: int) -> None:
        self._pool, self._seed, self._prune = pool, seed, prune
        self._identity = identity("infobatch", pool, seed)
        # 0.3 * 10 is a little over 3 to a computer: the rounding keeps that from costing an epoch
        self._first_full_epoch = epochs - math.ceil(round(anneal * epochs, 9))
        self.fewest_rows = math.floor((1 - prune) * pool.per_epoch)
        self._losses = np.full(pool.size, np.nan, np.float32)
        self._before = self._losses.copy()

    def plan(self, epoch: int) -> EpochPlan:
        rows = self._pool.shown(self._pool.rows, order_stream(self._seed, epoch))
        if epoch >= self._first_full_epoch or np.isnan(self._before).all():
            return EpochPlan.even(rows)
        # a comparison with NaN is false: rows without a loss are not known
        losses = self._before.astype(np.float64)
        known = np.flatnonzero(losses[rows] < np.nanmean(losses))
        generator = choice_stream(self._seed, epoch)
        kept_count = math.floor((1 - self._prune) * len(known) + generator.random())
        stay = generator.permutation(known)[:kept_count]
        weights = np.ones(len(rows), np.float32)
        weights[known] = 0
        weights[stay] = 1 / (1 - self._prune)
        return EpochPlan(rows[weights > 0], weights[weights > 0])

    def watch(self, epoch: int, rows: np.ndarray, losses: np.ndarray) -> None:
        """Remember ``losses (B,)`` of ``rows (B,)`` for the epochs to come, in whatever order the batch was gathered.

        A row that a batch holds more than once keeps the largest of its losses. ``ValueError`` for rows that are not
        of the data set.
        """
        rows, losses = np.asarray(rows), np.asarray(losses)
        if rows.shape != losses.shape or rows.ndim != 1:
            raise ValueError(f"losses: expected one for each row {rows.shape}, got {losses.shape}")
        if len(rows) and not 0 <= rows.min() <= rows.max() < self._pool.size:
            raise ValueError(f"rows: expected 0 to {self._pool.size - 1}, got {rows.min()} to {rows.max()}")
        losses = np.where(np.abs(losses) <= np.finfo(np.float32).max, losses, np.nan).astype(np.float32)
        order = np.lexsort((losses, rows))
        last = np.append(rows[order][1:] != rows[order][:-1], True) if len(rows) else np.zeros(0, bool)
        self._losses[rows[order][last]] = losses[order][last]

    def observe(self, epoch: int, score: float | None) -> None:
        """Only now do the epoch's losses count: its own plan stays what it was."""
        self._before = self._losses.copy()

    def state(self) -> dict[str, Any]:
        return {**self._identity, "losses": kept(self._losses), "before": kept(self._before)}

    def restore(self, state: dict[str, Any]) -> None:
        check_identity(state, self._identity)
        losses, before = (taken(state, name, np.float32, self._pool.size) for name in ("losses", "before"))
        self._losses, self._before = losses, before
