"""How many threads a network gets when nobody says."""

from __future__ import annotations

import os

__all__ = ["MOST_THREADS", "available_threads", "default_threads"]

# Networks of a few hundred thousand weights gain nothing from more threads than this, and starve their neighbours.
MOST_THREADS_BY_DEFAULT = 4
# Starting more keeps a machine busy, not the network.
MOST_THREADS = 256


def available_threads() -> int:
    """Cores that this process may use, which a container or ``taskset`` may have made fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """As many as there are cores to use, at most 4."""
    return min(available_threads(), MOST_THREADS_BY_DEFAULT)
