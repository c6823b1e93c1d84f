"""Whole nets timed on this machine: the table's runtime, threads and sampling.

Times are kept in ``measured.json``, so that a study that goes on measures nothing twice.
"""

from __future__ import annotations

import json
from pathlib import Path

from ligera.deploy.export.network import to_onnx
from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.meter.hardware import processor_name
from ligera.models.catalogue import build
from ligera.models.specs import DetectorSpec
from ligera.search.estimate import ESTIMATED
from ligera.search.precision import in_precision
from ligera.search.table import LatencyTable, settings_for
from ligera.search.whole_nets import NetTimer, is_here

__all__ = ["Clock"]


class Clock:
    """Milliseconds of whole detectors on this machine; ``None`` where nothing is to be measured."""

    def __init__(self, table: LatencyTable, folder: Path, wanted: bool) -> None:
        estimated = table.device.processor == ESTIMATED
        self.wanted = wanted and (estimated or is_here(table.device))
        self.threads = 1 if estimated else table.device.threads
        self.runtime = "onnxruntime" if estimated else table.device.runtime
        self.precision = "fp32" if estimated else table.device.precision
        settings = settings_for(self.runtime) if estimated else table.settings
        beside = None if estimated else table
        self._time = NetTimer(settings, threads=self.threads, runtime=self.runtime, table=beside)
        self._path = folder / "measured.json"
        self._known: dict[str, float] = self._read()

    @property
    def where(self) -> str:
        """On what, in words."""
        precision = "" if self.precision == "fp32" else f" {self.precision}"
        return f"{processor_name()}, {self.runtime}{precision}, {self.threads} thread(s)"

    def __call__(self, name: str, spec: DetectorSpec, side_px: int, batch: int = 1) -> float | None:
        """Latency of ``spec`` on ``batch`` pictures of ``side_px``, weights random."""
        key = f"{name} {batch}x{side_px} {self.where}"
        if key not in self._known and self.wanted:
            graph = in_precision(to_onnx(build(spec).eval()), self.precision, has_heads=True)
            self._known[key] = self._time(graph, (batch, 3, side_px, side_px))
            write_bytes(self._path, (json.dumps(self._known, indent=1) + "\n").encode())
        return self._known.get(key)

    def _read(self) -> dict[str, float]:
        try:
            return json.loads(self._path.read_text()) if self._path.is_file() else {}
        except (OSError, ValueError):
            raise DataError(f"{self._path}: damaged; remove it, its times are measured again") from None
