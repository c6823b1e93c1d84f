"""Engines of data work side by side: the same pictures, time and peak memory of each (SPEC section A).

Each engine works in a fresh process that nothing else shares, and the processes take turns in an order that rotates.
Out: :class:`Comparison`, whose figures say how they came about, with ``reasons`` why they must not be quoted where the
machine was not quiet, and whether all engines gave the same, byte for byte.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ligera.data.engines import check_engine, usable_cores
from ligera.data.pictures import find_pictures
from ligera.deploy.comparing.tree_memory import TreeMemory
from ligera.deploy.comparing.worker import WORKLOADS, Job
from ligera.deploy.timing.noise import NoiseMeter
from ligera.errors import LigeraError, UsageError, nearest
from ligera.meter.figure import Figure
from ligera.meter.hardware import inspect_hardware

__all__ = ["Comparison", "EngineRow", "compare"]

LOOK_EVERY_S = 0.03
CALIBRATIONS_PER_TURN = 2


@dataclass(frozen=True, slots=True)
class EngineRow:
    """One engine: what it chose to be (``auto``), its workers where they are known, and its figures.

    These are ``elapsed_s, pictures_per_s, peak_mb`` and, but for the first engine, ``speedup`` over that one, from
    paired rounds. ``failed`` counts pictures with an error.
    """

    engine: str
    chosen: str
    workers: int | None
    failed: int
    digest: str
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows; ``identical`` is whether every engine gave the same results, ``reasons`` why not to quote the times."""

    source: str
    workload: str
    pictures: int
    rounds: int
    processor: str
    rows: tuple[EngineRow, ...]
    identical: bool
    reasons: tuple[str, ...]

    @property
    def quotable(self) -> bool:
        return not self.reasons

    def as_dict(self, *, force: bool = False) -> dict[str, Any]:
        """Ready for JSON; figures are withheld (null) where they may not be quoted, unless forced."""
        show = self.quotable or force
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["reasons"] = list(self.reasons)
        plain["rows"] = [
            {
                "engine": row.engine,
                "chosen": row.chosen,
                "workers": row.workers,
                "failed": row.failed,
                "digest": row.digest,
                "figures": {name: figure.as_dict() for name, figure in row.figures.items()} if show else None,
            }
            for row in self.rows
        ]
        return {"quotable": self.quotable, **plain}


@dataclass(slots=True)
class _Turns:
    """What one engine's processes answered, in the order of the rounds."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    peaks_mb: list[float | None] = field(default_factory=list)


def compare(
    source: str,
    engines: Sequence[str],
    *,
    workload: str = "decode",
    workers: int | None = None,
    rounds: int = 3,
    limit: int | None = None,
    model: str = "face",
    steps: Callable[[list[str]], Iterable[str]] = iter,
) -> Comparison:
    """Let each of ``engines`` do ``workload`` on the first ``limit`` pictures of ``source``, ``rounds`` times.

    ``steps`` is handed the names of the engines in the order of their turns and may show how far they are.
    Raises ``UsageError`` for an unknown engine or workload, ``DataError`` where there are no pictures, ``MissingExtra``
    and ``ModelError`` as the engine and the model do.
    """
    names = list(dict.fromkeys(engines))
    for name in names:
        check_engine(name, workers)
    if not names:
        raise UsageError("engines: expected at least one")
    if workload not in WORKLOADS:
        known = ", ".join(WORKLOADS)
        raise UsageError(f"no workload is called {workload!r}{nearest(workload, WORKLOADS)}; known: {known}")
    if rounds < 1 or (limit is not None and limit < 1):
        raise UsageError("expected one or more rounds, and pictures")
    _warm_files(source, limit)
    job = Job(source, workload, names[0], workers, limit, model)
    turns = {name: _Turns() for name in names}
    noise = NoiseMeter(threads=min(usable_cores(), workers or usable_cores()))
    noise.start()
    for name in steps(_order(names, rounds)):
        for _ in range(CALIBRATIONS_PER_TURN):
            noise.calibrate()
        answer, tree = _measured(replace(job, engine=name))
        noise.add_own(tree.cpu_s)
        turns[name].answers.append(answer)
        turns[name].peaks_mb.append(tree.peak_mb)
    noise.stop()
    rows = tuple(_row(name, turns, names[0]) for name in names)
    digests = {answer["digest"] for own in turns.values() for answer in own.answers}
    pictures = turns[names[0]].answers[0]["pictures"]
    processor = inspect_hardware().processor
    return Comparison(source, workload, pictures, rounds, processor, rows, len(digests) == 1, noise.reasons())


def _order(names: list[str], rounds: int) -> list[str]:
    """Whose turn it is: every round begins one engine further on, so that whatever drifts meets all alike."""
    starts = (number % len(names) for number in range(rounds))
    return [name for start in starts for name in names[start:] + names[:start]]


def _warm_files(source: str, limit: int | None) -> None:
    """Read each file once, so that the first engine does not read from the disk for all of them."""
    for number, path in enumerate(find_pictures(source)):
        if number == limit:
            return
        try:
            path.read_bytes()
        except OSError:
            continue


def _measured(job: Job) -> tuple[dict[str, Any], TreeMemory]:
    """The answer of one process that does ``job``, and what it and its workers held meanwhile."""
    with _process(job) as process:
        tree = TreeMemory(process.pid)
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(tree, ended), daemon=True)
        watcher.start()
        try:
            assert process.stdout is not None
            output = process.stdout.read()
            process.wait()
        finally:
            ended.set()
            watcher.join()
    try:
        answer = json.loads(output)
    except ValueError:
        raise LigeraError(
            f"engine {job.engine}: its process ended without an answer (exit code {process.returncode})"
        ) from None
    if "error" in answer:
        raise _raised(answer)
    return answer, tree


@contextmanager
def _process(job: Job) -> Iterator[subprocess.Popen[str]]:
    """A measured process that does not outlive the block, nor us: it ends with its standard input."""
    command = [sys.executable, "-m", "ligera.deploy.comparing.worker", job.to_json()]
    # A session of its own: Ctrl-C is for us, who then end it.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        # Its workers end by themselves once it is gone.
        process.kill()
        process.communicate()


def _watch(tree: TreeMemory, ended: threading.Event) -> None:
    while not ended.wait(LOOK_EVERY_S):
        tree.look()


def _raised(answer: dict[str, Any]) -> LigeraError:
    error = LigeraError(answer["error"])
    error.exit_code = answer["exit_code"]
    return error


def _row(name: str, turns: dict[str, _Turns], first: str) -> EngineRow:
    own = turns[name]
    elapsed_s = [answer["elapsed_s"] for answer in own.answers]
    pictures = own.answers[0]["pictures"]
    threads = usable_cores()
    peaks = [peak for peak in own.peaks_mb if peak is not None]
    pairs = zip((answer["elapsed_s"] for answer in turns[first].answers), elapsed_s, strict=True)
    figures = {
        "elapsed_s": _figure(elapsed_s, "s", threads),
        "pictures_per_s": _figure([pictures / seconds for seconds in elapsed_s], "1/s", threads),
        "peak_mb": _figure(peaks, "MB", threads, note="proportional set size of all its processes, sampled"),
    }
    if name != first:
        figures["speedup"] = _figure([theirs / ours for theirs, ours in pairs], "1", threads, note=f"over {first}")
    answer = own.answers[-1]
    return EngineRow(name, answer["engine"], answer["workers"], answer["failed"], answer["digest"], figures)


def _figure(values: Sequence[float], unit: str, threads: int, note: str = "") -> Figure:
    """The median and the whole range, as there are few values."""
    if not values:
        return Figure(None, unit, "unknown", "cpu", threads, 0, note=note)
    spread = (float(min(values)), float(max(values)))
    return Figure(float(np.median(values)), unit, "measured", "cpu", threads, len(values), spread, note)
