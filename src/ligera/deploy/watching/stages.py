"""What each stage of a frame takes, in milliseconds: of the newest frame, and as medians over the last ones."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["SHOWN_STAGES", "STAGES", "StageClock"]

# In the order in which a frame meets them; the last two come after the picture that tells of the others.
SHOWN_STAGES = ("read", "detect", "track", "recognise", "draw")
STAGES = (*SHOWN_STAGES, "show", "write")
MOST_FRAMES = 20_000
RECENT_FRAMES = 30


class StageClock:
    """Adds up the stages of one frame after the other. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._past: dict[str, deque[float]] = {}
        self._recent: dict[str, deque[float]] = {}
        self.newest_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is inside as ``name``."""
        started = self._clock()
        try:
            yield
        finally:
            self.add(name, (self._clock() - started) * 1e3)

    def add(self, name: str, duration_ms: float) -> None:
        """A stage that was timed elsewhere, as reading in another thread."""
        self.newest_ms[name] = self.newest_ms.get(name, 0.0) + duration_ms

    def next_frame(self) -> None:
        """The frame is done; what it took goes to the past."""
        for name, duration_ms in self.newest_ms.items():
            self._past.setdefault(name, deque(maxlen=MOST_FRAMES)).append(duration_ms)
            self._recent.setdefault(name, deque(maxlen=RECENT_FRAMES)).append(duration_ms)
        self.newest_ms = {}

    def medians_ms(self, *, recent: bool = False) -> dict[str, float]:
        """The median of each stage over the past frames (20,000 at most), or over the ``recent`` 30."""
        return {name: statistics.median(times) for name, times in (self._recent if recent else self._past).items()}
