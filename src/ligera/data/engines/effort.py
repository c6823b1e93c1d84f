"""How much processor a thread had, and how long it stood in line for one: what tells computing from waiting.

On a busy machine the clock on the wall cannot: work looks slow, or as if it waited, because others are served first.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Effort", "thread_effort"]

# Nanoseconds on a processor, nanoseconds in line for one, number of turns.
SCHEDULER_STATISTICS = Path("/proc/thread-self/schedstat")


@dataclass(frozen=True, slots=True)
class Effort:
    """``cpu_s`` on a processor and ``queued_s`` in line for one (0 where the system does not say, but on Linux)."""

    cpu_s: float = 0.0
    queued_s: float = 0.0

    @property
    def computing_s(self) -> float:
        """The time in which the thread had something to compute."""
        return self.cpu_s + self.queued_s

    def __add__(self, other: Effort) -> Effort:
        return Effort(self.cpu_s + other.cpu_s, self.queued_s + other.queued_s)

    def __sub__(self, other: Effort) -> Effort:
        return Effort(self.cpu_s - other.cpu_s, self.queued_s - other.queued_s)


def thread_effort() -> Effort:
    """Of the calling thread since it began."""
    try:
        queued_ns = int(SCHEDULER_STATISTICS.read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        queued_ns = 0
    return Effort(time.thread_time(), queued_ns / 1e9)
