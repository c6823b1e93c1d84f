"""Whole nets timed as the blocks of a latency table were: its runtime, its threads, its turns.

In: a table and the graph of a net with the shape of its input. Out: ms of one run, by the table's statistic.
"""

from __future__ import annotations

from ligera.meter.hardware import processor_name
from ligera.search.device_state import runtime_version
from ligera.search.merging import merged
from ligera.search.profiling import Bench
from ligera.search.table import Device, Settings
from ligera.search.timing import TooSlow

__all__ = ["NET_MS", "SLOWEST_MS", "fitted", "is_here", "time_net"]

SLOWEST_MS = 60_000.0
# No turn of a slow net and no net lasts much longer: seconds a picture would make hours of seventy runs and many turns.
TURN_MS, NET_MS = 3_000.0, 30_000.0
FEWEST_RUNS = 5


def is_here(device: Device) -> bool:
    """Whether ``device`` is this machine's processor with the runtime that is installed here."""
    return device.processor == processor_name() and device.runtime_version == runtime_version(device.runtime)


def time_net(graph: bytes, shape: tuple[int, ...], settings: Settings, *, threads: int | None, runtime: str) -> float:
    """Milliseconds of ``graph`` on a batch of ``shape``; ``SLOWEST_MS`` stands for all that lasts longer."""
    settings = settings.model_copy(update={"threshold_ms": SLOWEST_MS})
    bench = Bench(settings, threads=threads, runtime=runtime)
    try:
        bench.settings = settings.model_copy(
            update={"warm_up_runs": 1, "samples": FEWEST_RUNS, "rounds": 1, "most_repeats": 0}
        )
        rough = bench.turns(graph, shape)
        if isinstance(rough, TooSlow):
            return SLOWEST_MS
        bench.settings = fitted(settings, merged(rough, bench.settings).latency_ms)
        turns = bench.turns(graph, shape)
        return SLOWEST_MS if isinstance(turns, TooSlow) else merged(turns, bench.settings).latency_ms
    finally:
        bench.close()


def fitted(settings: Settings, rough_ms: float) -> Settings:
    """``settings`` with no more runs and turns than there is time for where a run takes ``rough_ms``."""
    runs = min(settings.samples, max(FEWEST_RUNS, int(TURN_MS / rough_ms)))
    warm_up = settings.warm_up_runs * runs // settings.samples
    turns = max(1, int(NET_MS / (rough_ms * (runs + warm_up))))
    rounds = min(settings.rounds, turns)
    repeats = min(settings.most_repeats, turns - rounds)
    return settings.model_copy(
        update={"samples": runs, "warm_up_runs": warm_up, "rounds": rounds, "most_repeats": repeats}
    )
