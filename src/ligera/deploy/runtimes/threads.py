"""How many threads a network gets when nobody says."""

from __future__ import annotations

from ligera.meter.hardware import available_threads

__all__ = ["MOST_THREADS", "available_threads", "default_threads"]

# Networks of a few hundred thousand weights gain nothing from more threads than this, and starve their neighbours.
MOST_THREADS_BY_DEFAULT = 4
# Starting more keeps a machine busy, not the network.
MOST_THREADS = 256


def default_threads() -> int:
    """As many as there are cores to use, at most 4."""
    return min(available_threads(), MOST_THREADS_BY_DEFAULT)
