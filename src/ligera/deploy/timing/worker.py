"""The measured process of ``bench``: one model alone, so that memory, start and threads are its own.

Run as ``python -m ligera.deploy.timing.worker JSON`` with the fields of :class:`Job`. Answers on standard output, one
JSON line each: first ``{"ready": ...}`` after its first detection, then for every number N read from standard input the
times of N detections, and after an empty line its peak memory. An error is ``{"error": ..., "exit_code": ...}``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from ligera.meter.processes import ProcessTree

__all__ = ["Job", "bench_picture", "measure"]

WARM_UP_RUNS = 2


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker runs; ``picture`` is a file, or ``None`` for a synthetic one. Sizes in px."""

    model: str
    width: int
    height: int
    threads: int | None = None
    runtime: str = "onnxruntime"
    picture: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def bench_picture(job: Job) -> Any:
    """``(height, width, 3)`` uint8: the job's picture brought to its size, or smooth noise with a fixed seed."""
    import cv2
    import numpy as np

    from ligera.data.pictures import read_picture

    if job.picture is not None:
        return cv2.resize(read_picture(job.picture).pixels, (job.width, job.height), interpolation=cv2.INTER_AREA)
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return cv2.resize(coarse, (job.width, job.height), interpolation=cv2.INTER_CUBIC)


def measure(detector: Any, pixels: Any, runs: int) -> dict[str, Any]:
    """Times of ``runs`` detections after two that do not count, in ms; ``network_ms`` is null without a runtime."""
    stopwatch = detector.engine.runtime
    totals, networks = [], []
    cpu_before = time.process_time()
    for i in range(runs + WARM_UP_RUNS):
        if stopwatch is not None:
            stopwatch.elapsed_ms = 0.0
        started = time.perf_counter()
        found = detector.detect(pixels)
        total_ms = (time.perf_counter() - started) * 1e3
        if i >= WARM_UP_RUNS:
            totals.append(total_ms)
            networks.append(None if stopwatch is None else stopwatch.elapsed_ms)
    cpu_s = time.process_time() - cpu_before
    return {"total_ms": totals, "network_ms": networks, "cpu_s": cpu_s, "found": len(found)}


def _serve(job: Job) -> None:
    import cv2

    from ligera.deploy.detector import Detector
    from ligera.deploy.timing.stopwatch import StopwatchRuntime

    if job.threads is not None:
        cv2.setNumThreads(job.threads)
    pixels = bench_picture(job)
    detector = Detector.load(job.model, threads=job.threads, runtime=job.runtime)
    engine = detector.engine
    if engine.runtime is not None:
        engine.runtime = StopwatchRuntime(engine.runtime)
    detector.detect(pixels)
    runtime = engine.runtime
    _answer(
        {
            "ready": detector.name,
            "runtime": None if runtime is None else runtime.name,
            "device": "cpu" if runtime is None else runtime.device,
            "threads": job.threads if runtime is None else runtime.threads,
        }
    )
    for line in sys.stdin:
        if not line.strip():
            _answer({"peak_mb": ProcessTree().high_water_mb()})
            return
        _answer(measure(detector, pixels, int(line)))


def _answer(row: dict[str, Any]) -> None:
    # the protocol between this process and bench, not something a user reads
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def _main() -> None:
    from ligera.errors import LigeraError

    try:
        _serve(Job(**json.loads(sys.argv[1])))
    except BrokenPipeError:
        # bench is gone, interrupted for instance; nothing is left to say, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except LigeraError as error:
        _answer({"error": str(error), "exit_code": error.exit_code})


if __name__ == "__main__":
    _main()
