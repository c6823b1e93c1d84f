"""The measured process of ``pick``: opens models, asks them about labelled pictures, and times them.

Run as ``python -m ligera.deploy.pick.worker JSON`` with the fields of :class:`WorkerJob`. Reads commands from standard
input and answers each with one line of JSON on standard output: ``open``, then ``look`` and ``time`` with what was
opened, ``layers``, ``peak``, ``close``. A trouble is ``{"error": ..., "exit_code": ..., "of_data": ...}``, after which
it goes on.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

__all__ = ["WARM_UP_CALLS", "WorkerJob", "timed_calls"]

WARM_UP_CALLS = 2
FEWEST_BEFORE_STOPPING = 3
# Models stay open for when they are asked again, as long as the process holds no more than this.
ROOM_MB = 1500.0


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """What a worker is asked about; without ``data`` it only opens models."""

    task: str
    data: str | None = None
    protocol: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class _Opened:
    model: Any
    stopwatch: Any
    facts: dict[str, Any]


class _Desk:
    """The model opened last, others opened before, and the pictures that were read for timing."""

    def __init__(self, job: WorkerJob) -> None:
        from ligera.deploy.pick.judging import open_judge
        from ligera.meter.processes import ProcessTree

        self._task = job.task
        self._judge = None if job.data is None else open_judge(job.task, Path(job.data), job.protocol)
        # in the order of their use, the last one in use now
        self._opened: dict[tuple[str, int, str], _Opened] = {}
        self._pixels: dict[int, Any] = {}
        self._memory = ProcessTree()

    def open(self, model: str, threads: int, runtime: str) -> dict[str, Any]:
        import cv2

        cv2.setNumThreads(threads)
        key = (model, threads, runtime)
        opened = self._opened.pop(key, None) or self._load(*key)
        while self._opened and (self._memory.read().rss_mb or ROOM_MB) >= ROOM_MB:
            self._opened.pop(next(iter(self._opened))).model.close()
        self._opened[key] = opened
        return opened.facts

    def _load(self, name: str, threads: int, runtime: str) -> _Opened:
        from ligera.deploy.loading import load_model
        from ligera.deploy.pick.probing import facts_of
        from ligera.deploy.timing.stopwatch import StopwatchRuntime

        model = load_model(name, threads=threads, runtime=runtime)
        if self._task == "people":
            from ligera.deploy.pick.judging.people import recognising

            model = recognising(model, name)
        facts = facts_of(model)
        holder = getattr(model, "engine", model)
        stopwatch = None
        if holder.runtime is not None:
            stopwatch = holder.runtime = StopwatchRuntime(holder.runtime)
        return _Opened(model, stopwatch, facts)

    @property
    def _now(self) -> _Opened:
        return self._opened[next(reversed(self._opened))]

    def look(self, rows: Sequence[int], max_side: int | None) -> dict[str, Any]:
        return {"said": self._judge.look(self._now.model, rows, max_side)}

    def time(
        self, rows: Sequence[int], max_side: int | None, batch: int, limit_ms: float | None, warm_up: int
    ) -> dict[str, Any]:
        for row in rows:
            if row not in self._pixels:
                self._pixels[row] = self._judge.picture(row).pixels
        pictures = [self._pixels[row] for row in rows]
        model, stopwatch = self._now.model, self._now.stopwatch
        return timed_calls(
            model, stopwatch, pictures, max_side=max_side, batch=batch, limit_ms=limit_ms, warm_up=warm_up
        )

    def layers(self, model: str, runtime: str, threads: int, row: int) -> dict[str, Any]:
        from ligera.deploy.layer_audit import audit_layers

        return audit_layers(model, self._judge.picture(row).pixels, runtime=runtime, threads=threads).as_dict()

    def peak(self) -> dict[str, Any]:
        from ligera.meter.processes import ProcessTree

        return {"peak_mb": ProcessTree().high_water_mb()}

    def close(self) -> dict[str, Any]:
        while self._opened:
            self._opened.popitem()[1].model.close()
        return {}


def timed_calls(
    model: Any,
    stopwatch: Any,
    pictures: Sequence[Any],
    *,
    max_side: int | None,
    batch: int = 1,
    limit_ms: float | None = None,
    warm_up: int = WARM_UP_CALLS,
) -> dict[str, Any]:
    """Each of ``pictures`` once, ``batch`` at a time, after ``warm_up`` calls that do not count.

    Times are from decoded pictures to their answers, ms; ``network_ms`` is what the network took of it. ``cpu_s`` and
    ``pictures`` are of all calls, those too that do not count. Stops as soon as the fastest of three calls or more took
    longer than ``limit_ms``.
    """
    parts = [pictures[start : start + batch] for start in range(0, len(pictures), batch)]
    times, networks, stopped, done = [], [], False, 0
    cpu_before = time.process_time()
    for number, part in enumerate([*parts[:warm_up], *parts]):
        if stopwatch is not None:
            stopwatch.elapsed_ms = 0.0
        started = time.perf_counter()
        _answer_all(model, part, max_side)
        total_ms = (time.perf_counter() - started) * 1e3
        done += len(part)
        if number < min(warm_up, len(parts)):
            continue
        times.append(total_ms)
        if stopwatch is not None:
            networks.append(stopwatch.elapsed_ms)
        if limit_ms is not None and len(times) >= FEWEST_BEFORE_STOPPING and min(times) > limit_ms:
            stopped = len(times) < len(parts)
            break
    cpu_s = time.process_time() - cpu_before
    return {"times_ms": times, "network_ms": networks, "cpu_s": cpu_s, "pictures": done, "stopped": stopped}


def _answer_all(model: Any, part: Sequence[Any], max_side: int | None) -> None:
    if hasattr(model, "classify_many"):
        for _ in model.classify_many(part, len(part)):
            pass
        return
    for pixels in part:
        model.detect(pixels, max_side=max_side)


def _serve(job: WorkerJob, replies: TextIO) -> None:
    from ligera.errors import LigeraError

    def reply(row: Mapping[str, Any]) -> None:
        replies.write(json.dumps(row) + "\n")
        replies.flush()

    try:
        desk = _Desk(job)
    except LigeraError as error:
        reply(_trouble(error))
        return
    reply({"ready": True})
    for line in sys.stdin:
        command = json.loads(line)
        try:
            reply(getattr(desk, command.pop("do"))(**command))
        except LigeraError as error:
            reply(_trouble(error))
        except MemoryError:
            reply({"error": "out of memory", "exit_code": 2})


def _trouble(error: Any) -> dict[str, Any]:
    from ligera.errors import DataError

    return {"error": str(error), "exit_code": error.exit_code, "of_data": isinstance(error, DataError)}


def _main() -> None:
    # whatever a library prints must not get between the answers
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    try:
        _serve(WorkerJob(**json.loads(sys.argv[1])), replies)
    except BrokenPipeError:
        # pick is gone, interrupted for instance; nothing is left to say, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), replies.fileno())


if __name__ == "__main__":
    _main()
