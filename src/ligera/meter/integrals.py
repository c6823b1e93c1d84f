"""Energy from readings that come when they come: of a counter that may wrap, or of power.

Both take one reading at a time and return the stretch since the reading before, in s and J, or ``None`` where it cannot
be known. A reading that failed (``None``) is simply left out: the next stretch reaches over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["CounterIntegral", "PowerIntegral", "Stretch"]

# No package or card draws more, so within range / this many seconds a counter cannot have gone round twice.
MOST_W = 1000.0
# Between readings farther apart than this (a machine that slept) power is anyone's guess.
LONGEST_GAP_S = 60.0


class Stretch(NamedTuple):
    """Energy used in the ``seconds`` before a reading."""

    seconds: float
    joules: float


@dataclass(slots=True)
class CounterIntegral:
    """Joules counted by hardware; ``range_j`` is where it starts again from 0, ``None`` where it never does."""

    range_j: float | None = None
    _last: tuple[float, float] | None = None

    def add(self, at_s: float, joules: float | None) -> Stretch | None:
        if joules is None:
            return None
        last, self._last = self._last, (at_s, joules)
        if last is None:
            return None
        seconds, used = at_s - last[0], joules - last[1]
        if self.range_j is None:
            # less than before: the driver was loaded anew
            return Stretch(seconds, used) if used >= 0 else None
        if seconds * MOST_W >= self.range_j:
            return None
        return Stretch(seconds, used if used >= 0 else used + self.range_j)


@dataclass(slots=True)
class PowerIntegral:
    """Power over time by the trapezoid rule.

    For power that changes by at most s watts a second the error of a stretch of t seconds is at most s t^2 / 4.
    """

    _last: tuple[float, float] | None = None

    def add(self, at_s: float, watts: float | None) -> Stretch | None:
        if watts is None:
            return None
        last, self._last = self._last, (at_s, watts)
        if last is None or at_s - last[0] > LONGEST_GAP_S:
            return None
        seconds = at_s - last[0]
        return Stretch(seconds, seconds * (watts + last[1]) / 2)
