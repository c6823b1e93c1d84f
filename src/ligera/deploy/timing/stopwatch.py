"""A runtime that times the one it wraps: what a network takes inside a whole detection, in the very same call."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from ligera.deploy.runtimes import Runtime

__all__ = ["StopwatchRuntime"]


class StopwatchRuntime:
    """Runs ``runtime`` and adds up the milliseconds in ``elapsed_ms``, which the caller sets to zero."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.name = runtime.name
        self.device = runtime.device
        self.threads = runtime.threads
        self.metadata: Mapping[str, str] = runtime.metadata
        self.input_shape = runtime.input_shape
        self.output_shapes = runtime.output_shapes
        self.elapsed_ms = 0.0

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        started = time.perf_counter()
        outputs = self._runtime.run(batch)
        self.elapsed_ms += (time.perf_counter() - started) * 1e3
        return outputs

    def close(self) -> None:
        self._runtime.close()
