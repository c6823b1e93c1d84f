"""Dynamic training: a part A of the samples, resampled whenever the validation score hardly moves.

Frausto-Pérez et al., "Entrenamiento dinámico de redes convolucionales profundas para clasificación de imágenes",
section 3. B is what is not in A. After each epoch but the first its score is compared with that of the epoch before:

base design     |change| < delta: type I
variant         change <= 0: type I; 0 < change < delta: type II; change >= delta: A stays

type I          |A|(1 - beta) of A at random, |A| beta of B at random (equation 1)
type II         the same from A*, the part with the best score so far, and from what is not in A*, with
                gamma^n beta for beta, n = 1 after the first epoch (equations 2 and 3)

The number replaced is |A| times beta rounded to the nearest whole number, halves to the even one; the rest is kept, so
A never changes its size. Of parts with equal best scores A* is the earliest. The paper's figure 5 remembers the last
score only after all epochs, which would compare every epoch with nothing; after each epoch is what is meant.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ligera.errors import RecipeError
from ligera.train.samplers.plan import EpochPlan
from ligera.train.samplers.pool import Pool, choice_stream, choose, order_stream
from ligera.train.samplers.state import check_identity, identity, kept, taken_rows, taken_score


class DynamicSampler:
    """A is ``count`` rows of ``pool``; ``beta`` the share replaced, ``delta`` the change that counts as progress.

    ``gamma`` shrinks ``beta`` in the variant's type II; the base design has none.
    """

    wants_losses = False
    wants_score = True

    def __init__(
        self,
        pool: Pool,
        seed: int,
        count: int,
        *,
        beta: float,
        delta: float,
        design: Literal["base", "variant"] = "base",
        gamma: float = 1.0,
    ) -> None:
        self._pool, self._seed, self._count = pool, seed, count
        self._beta, self._delta, self._design, self._gamma = beta, delta, design, gamma
        self._identity = identity("dynamic", pool, seed, count=count, design=design)
        self.fewest_rows = pool.count(count)
        self._chosen = self._best = choose(pool.rows, count, choice_stream(seed, 0))
        self._last_score: float | None = None
        self._best_score: float | None = None

    def plan(self, epoch: int) -> EpochPlan:
        return EpochPlan.even(self._pool.shown(self._chosen, order_stream(self._seed, epoch)))

    def watch(self, epoch: int, rows: np.ndarray, losses: np.ndarray) -> None:
        """Only scores move this sampler."""

    def observe(self, epoch: int, score: float | None) -> None:
        """Resample after ``epoch`` where its ``score`` asks for it. ``RecipeError`` when there is none from 0 to 1."""
        if score is None or not 0 <= score <= 1:
            raise RecipeError(
                f"sampler: dynamic decides by a validation score from 0 to 1 after each epoch and got {score}; "
                "give it validation data, or another kind of sampler"
            )
        last, self._last_score = self._last_score, float(score)
        if self._best_score is None or score > self._best_score:
            self._best, self._best_score = self._chosen, float(score)
        if last is not None:
            # 0.47 - 0.46 is a little under 0.01 to a computer, 0.51 - 0.50 a little over
            self._chosen = self._next(epoch, round(score - last, 9))

    def beta_at(self, epoch: int) -> float:
        """The share that a type II resampling after ``epoch`` (from 0) replaces."""
        return self._gamma ** (epoch + 1) * self._beta

    def _next(self, epoch: int, change: float) -> np.ndarray:
        """The part for the epoch after ``epoch``."""
        if self._design == "base":
            return self._resampled(self._chosen, self._beta, epoch) if abs(change) < self._delta else self._chosen
        if change <= 0:
            return self._resampled(self._chosen, self._beta, epoch)
        if change < self._delta:
            return self._resampled(self._best, self.beta_at(epoch), epoch)
        return self._chosen

    def _resampled(self, chosen: np.ndarray, beta: float, epoch: int) -> np.ndarray:
        generator = choice_stream(self._seed, epoch + 1)
        replaced = replaced_count(self._count, beta)
        others = np.setdiff1d(self._pool.rows, chosen, assume_unique=True)
        old = choose(chosen, self._count - replaced, generator)
        return np.sort(np.concatenate([old, choose(others, replaced, generator)]))

    def state(self) -> dict[str, Any]:
        scores = {"last_score": self._last_score, "best_score": self._best_score}
        return {**self._identity, "chosen": kept(self._chosen), "best": kept(self._best), **scores}

    def restore(self, state: dict[str, Any]) -> None:
        check_identity(state, self._identity)
        chosen, best = (taken_rows(state, name, self._count, self._pool) for name in ("chosen", "best"))
        last_score, best_score = (taken_score(state, name) for name in ("last_score", "best_score"))
        self._chosen, self._best, self._last_score, self._best_score = chosen, best, last_score, best_score


def replaced_count(count: int, beta: float) -> int:
    """How many of ``count`` rows a share ``beta`` is: the nearest whole number, halves to the even one."""
    return round(count * beta)
