"""Whole nets timed as the blocks of a latency table were, in turns with some of these.

In: a table and the graph of a net with the shape of its input. Out: ms of one run on the machine as it was when the
table was made: what the net takes now, over what the table's own entries take now in terms of then.
"""

from __future__ import annotations

from functools import cached_property

from ligera.meter.hardware import processor_name
from ligera.search.device_state import runtime_version
from ligera.search.drift import drift, references
from ligera.search.merging import merged, unsteady
from ligera.search.pieces import entry_graph
from ligera.search.profiling import Bench
from ligera.search.table import Device, LatencyTable, Settings
from ligera.search.timing import TooSlow, Turn

__all__ = ["NET_MS", "SLOWEST_MS", "NetTimer", "fitted", "is_here"]

SLOWEST_MS = 60_000.0
# No turn of a slow net and no net lasts much longer: seconds a picture would make hours of seventy runs and many turns.
TURN_MS, NET_MS = 3_000.0, 30_000.0
FEWEST_RUNS = 5
FEW = 8
ROUGHLY = {"warm_up_runs": 1, "samples": FEWEST_RUNS, "rounds": 1, "most_repeats": 0}


def is_here(device: Device) -> bool:
    """Whether ``device`` is this machine's processor with the runtime that is installed here."""
    return device.processor == processor_name() and device.runtime_version == runtime_version(device.runtime)


class NetTimer:
    """Times nets by ``settings``, and where a ``table`` of this machine is given, beside its entries."""

    def __init__(self, settings: Settings, *, threads: int, runtime: str, table: LatencyTable | None = None) -> None:
        self._settings = settings.model_copy(update={"threshold_ms": SLOWEST_MS})
        self._place = {"threads": threads, "runtime": runtime}
        self._table = table

    def __call__(self, graph: bytes, shape: tuple[int, ...]) -> float:
        """Milliseconds of ``graph`` on a batch of ``shape``; ``SLOWEST_MS`` stands for all that lasts longer."""
        bench = Bench(self._settings, **self._place)
        try:
            return self._timed(bench, graph, shape)
        finally:
            bench.close()

    def _timed(self, bench: Bench, graph: bytes, shape: tuple[int, ...]) -> float:
        rough = _turn(bench, graph, shape, self._settings.model_copy(update=ROUGHLY))
        if isinstance(rough, TooSlow):
            return SLOWEST_MS
        settings = fitted(self._settings, rough.latency_ms)
        turns: list[Turn] = []
        beside: dict[str, list[Turn]] = {key: [] for key in self._graphs}
        work = [None, *_spread(list(self._graphs))] * settings.rounds + [None] * settings.most_repeats
        most = affordable(settings, rough.latency_ms)
        for number, key in enumerate(work):
            if number >= len(work) - settings.most_repeats and not unsteady(turns, settings):
                break
            if key is None and len(turns) == most:
                break
            if key is None:
                turn = _turn(bench, graph, shape, settings)
            else:
                turn = _turn(bench, *self._graphs[key], self._settings)
            if not isinstance(turn, TooSlow):
                (turns if key is None else beside[key]).append(turn)
        now = drift(self._table, beside) if self._table else None
        return merged(turns, settings).latency_ms / (now or 1.0) if turns else SLOWEST_MS

    @cached_property
    def _graphs(self) -> dict[str, tuple[bytes, tuple[int, ...]]]:
        """Of each entry to be timed beside a net its graph and the shape of its input."""
        table = self._table
        if table is None:
            return {}
        precision = table.device.precision
        return {one.key: (entry_graph(table.space, one, precision), one.input_shape) for one in references(table)}


def _spread(keys: list[str]) -> list[str | None]:
    """``keys`` with the net's own turn, ``None``, after every few of them: a slow moment must not have it whole."""
    return [one for place in range(0, len(keys), FEW) for one in (*keys[place : place + FEW], None)]


def _turn(bench: Bench, graph: bytes, shape: tuple[int, ...], settings: Settings) -> Turn | TooSlow:
    bench.settings = settings
    return bench.turn(graph, shape)


def fitted(settings: Settings, rough_ms: float) -> Settings:
    """``settings`` with no more runs and turns than there is time for where a run takes ``rough_ms``."""
    runs = min(settings.samples, max(FEWEST_RUNS, int(TURN_MS / rough_ms)))
    warm_up = settings.warm_up_runs * runs // settings.samples
    shorter = settings.model_copy(update={"samples": runs, "warm_up_runs": warm_up})
    turns = affordable(shorter, rough_ms)
    rounds = min(settings.rounds, turns)
    return shorter.model_copy(update={"rounds": rounds, "most_repeats": min(settings.most_repeats, turns - rounds)})


def affordable(settings: Settings, rough_ms: float) -> int:
    """How many turns of a net there is time for where a run takes ``rough_ms``, one at least."""
    return max(1, int(NET_MS / (rough_ms * (settings.samples + settings.warm_up_runs))))
