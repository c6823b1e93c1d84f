"""Whole nets timed on this machine: the table's runtime, threads and sampling.

Times are kept in ``measured.json``, so that a study that goes on measures nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ligera.deploy.export.network import to_onnx
from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.meter.hardware import processor_name
from ligera.models.catalogue import build
from ligera.models.specs import DetectorSpec
from ligera.search.estimate import ESTIMATED
from ligera.search.merging import merged
from ligera.search.profiling import Bench
from ligera.search.table import LatencyTable, Settings, settings_for
from ligera.search.timing import TooSlow

__all__ = ["Clock", "fitted", "is_here"]

SLOWEST_MS = 60_000.0
# No turn of a slow net and no net lasts much longer: seconds a picture would make hours of seventy runs and many turns.
TURN_MS, NET_MS = 3_000.0, 30_000.0
FEWEST_RUNS = 5


def is_here(table: LatencyTable) -> bool:
    """Whether ``table`` was measured on this machine's processor."""
    return table.device.processor == processor_name()


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


class Clock:
    """Milliseconds of whole detectors on this machine; ``None`` where nothing is to be measured."""

    def __init__(self, table: LatencyTable, folder: Path, wanted: bool) -> None:
        estimated = table.device.processor == ESTIMATED
        self.wanted = wanted and (estimated or is_here(table))
        self.threads = 1 if estimated else table.device.threads
        self.runtime = "onnxruntime" if estimated else table.device.runtime
        settings = settings_for(self.runtime) if estimated else table.settings
        self._settings = settings.model_copy(update={"threshold_ms": SLOWEST_MS})
        self._path = folder / "measured.json"
        self._known: dict[str, float] = self._read()

    @property
    def where(self) -> str:
        """On what, in words."""
        return f"{processor_name()}, {self.runtime}, {self.threads} thread(s)"

    def __call__(self, name: str, spec: DetectorSpec, side_px: int, batch: int = 1) -> float | None:
        """Latency of ``spec`` on ``batch`` pictures of ``side_px``, weights random."""
        key = f"{name} {batch}x{side_px} {self.where}"
        if key not in self._known and self.wanted:
            self._known[key] = self._measured(lambda: to_onnx(build(spec).eval()), (batch, 3, side_px, side_px))
            write_bytes(self._path, (json.dumps(self._known, indent=1) + "\n").encode())
        return self._known.get(key)

    def _measured(self, graph: Callable[[], bytes], shape: tuple[int, ...]) -> float:
        once = {"warm_up_runs": 1, "samples": FEWEST_RUNS, "rounds": 1, "most_repeats": 0}
        content = graph()
        rough_ms = self._taken(self._settings.model_copy(update=once), content, shape)
        if rough_ms == float("inf"):
            return rough_ms
        return self._taken(fitted(self._settings, rough_ms), content, shape)

    def _taken(self, settings: Settings, graph: bytes, shape: tuple[int, ...]) -> float:
        bench = Bench(settings, threads=self.threads, runtime=self.runtime)
        try:
            turns = bench.turns(graph, shape)
        finally:
            bench.close()
        return float("inf") if isinstance(turns, TooSlow) else merged(turns, settings).latency_ms

    def _read(self) -> dict[str, float]:
        try:
            return json.loads(self._path.read_text()) if self._path.is_file() else {}
        except (OSError, ValueError):
            raise DataError(f"{self._path}: damaged; remove it, its times are measured again") from None
