"""Named parts of a run, nested or repeated: each is charged what runs in it under no other name."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["OUTSIDE", "PhaseClock"]

# What runs under no name.
OUTSIDE = "other"


@dataclass(slots=True)
class PhaseClock:
    """Seconds by phase: in all, and since the last ``split``."""

    since_s: float
    wall_s: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _recent: dict[str, float] = field(default_factory=dict)

    def enter(self, name: str, now_s: float) -> None:
        self._advance(now_s)
        self._open.append(name)
        self.times[name] = self.times.get(name, 0) + 1

    def leave(self, now_s: float) -> None:
        self._advance(now_s)
        self._open.pop()

    def split(self, now_s: float) -> dict[str, float]:
        """The share of each phase in the time since the last split; the shares add up to 1."""
        self._advance(now_s)
        recent, self._recent = self._recent, {}
        total = sum(recent.values())
        if total <= 0:
            return {self._current: 1.0}
        return {name: seconds / total for name, seconds in recent.items()}

    @property
    def _current(self) -> str:
        return self._open[-1] if self._open else OUTSIDE

    def _advance(self, now_s: float) -> None:
        seconds = max(0.0, now_s - self.since_s)
        self.since_s = now_s
        if seconds:
            name = self._current
            self.wall_s[name] = self.wall_s.get(name, 0.0) + seconds
            self._recent[name] = self._recent.get(name, 0.0) + seconds
