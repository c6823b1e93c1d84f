"""Who a track shows, from several looks at its face, and when to look again.

In: for each look the logits ``(K,)`` of K persons, each already less the person's threshold, so that 0 stands for
anybody else. Out: :class:`Verdict`. A first look may be enough; looks go on while their mean is too near the border
between two answers, farther and farther apart and not for ever, and begin anew when the track is in doubt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Identity", "LookRules", "Verdict"]


@dataclass(frozen=True, slots=True)
class LookRules:
    """``sure_at`` is how far the mean logit of the best answer must be ahead of the next, times the root of the looks.

    Without that, up to ``most_looks`` are taken, the first ``first_gap_s`` apart and each gap twice the one before. A
    track in doubt keeps ``kept_in_doubt`` of the weight of what was seen before. A face that has become ``grown``
    times as large as any looked at is looked at again where that one was under ``small_px``.
    """

    sure_at: float = 3.0
    most_looks: int = 6
    first_gap_s: float = 0.15
    kept_in_doubt: float = 0.25
    grown: float = 1.5
    small_px: float = 64.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """``row`` of the person, -1 for anybody else, after ``looks``; ``certainty`` (0 to 1) is the answer's probability
    by the mean of the looks, ``sure`` whether no more are needed."""

    row: int
    certainty: float
    sure: bool
    looks: int


class Identity:
    """What is known of who one track shows."""

    def __init__(self, persons: int, rules: LookRules = LookRules()) -> None:
        self._rules = rules
        self._sum = np.zeros(persons + 1)
        self._weight = 0.0
        self._recent_looks = 0
        self._next_s = -math.inf
        self._largest_px = 0.0
        self._doubts = 0
        self.looks = 0

    @property
    def first(self) -> bool:
        """Whether there was no look yet."""
        return self.looks == 0

    def wants_look(self, time_s: float, side_px: float, doubts: int) -> bool:
        """Whether to look now; ``doubts`` counts the times at which the track became doubtful, ``side_px`` its box."""
        if doubts > self._doubts:
            self._doubts = doubts
            self._sum *= self._rules.kept_in_doubt
            self._weight *= self._rules.kept_in_doubt
            self._begin_anew()
        elif self.looks and self._largest_px < self._rules.small_px and side_px >= self._rules.grown * self._largest_px:
            self._begin_anew()
        if self._recent_looks >= self._rules.most_looks or time_s < self._next_s:
            return False
        return self._recent_looks == 0 or not self._sure()

    def add(self, logits: np.ndarray, time_s: float, side_px: float) -> None:
        """One look, ``logits (K,)``, at a face of ``side_px``."""
        self._sum += np.append(logits, 0.0)
        self._weight += 1
        self._next_s = time_s + self._rules.first_gap_s * 2**self._recent_looks
        self._recent_looks += 1
        self.looks += 1
        self._largest_px = max(self._largest_px, side_px)

    def verdict(self) -> Verdict | None:
        """The answer so far, ``None`` before the first look."""
        if self.first:
            return None
        mean = self._mean()
        best = int(mean.argmax())
        powers = np.exp(mean - mean.max())
        row = -1 if best == len(mean) - 1 else best
        return Verdict(row, float(powers[best] / powers.sum()), self._sure(), self.looks)

    def _begin_anew(self) -> None:
        self._recent_looks, self._next_s = 0, -math.inf

    def _mean(self) -> np.ndarray:
        return self._sum / self._weight

    def _sure(self) -> bool:
        if self._recent_looks >= self._rules.most_looks:
            return True
        ordered = np.sort(self._mean())
        return bool((ordered[-1] - ordered[-2]) * math.sqrt(self._recent_looks) >= self._rules.sure_at)
