"""What a detector costs on this machine: decoded picture in, boxes out, and the network alone within it.

Each model lives in a process of its own (see ``worker``); the processes take turns in an order that rotates, so
that whatever drifts meets all alike. Out: a :class:`BenchReport` whose every figure says how it came about, and
``reasons`` why it must not be quoted where the machine was not quiet (see ``noise``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ligera.deploy.timing.answering import AnsweringProcess
from ligera.deploy.timing.energy import Turns, energy_figure, look
from ligera.deploy.timing.noise import NoiseMeter
from ligera.deploy.timing.worker import WARM_UP_RUNS, Job
from ligera.errors import UsageError
from ligera.meter.figure import Figure, quantile_figure
from ligera.meter.hardware import inspect_hardware
from ligera.meter.sources import Sources, find_sources

__all__ = ["BenchReport", "BenchRow", "bench", "overhead_share"]

RUNS_PER_ROUND = 10


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One model's figures by name: ``p50_ms, p95_ms, p99_ms, network_p50_ms, overhead_share, pictures_per_s,
    cold_start_ms, peak_mb, energy_mj`` (of one detection) and, beside another model, ``ratio`` (its time over that
    one's).
    """

    model: str
    runtime: str | None
    found: int
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class BenchReport:
    """All rows; ``reasons`` is empty exactly where the figures may be quoted."""

    rows: tuple[BenchRow, ...]
    versus: str | None
    width: int
    height: int
    picture: str
    processor: str
    reasons: tuple[str, ...]

    @property
    def quotable(self) -> bool:
        return not self.reasons

    def as_dict(self, *, force: bool = False) -> dict[str, Any]:
        """Ready for JSON; figures are withheld (null) where they may not be quoted, unless forced."""
        show = self.quotable or force
        rows = [
            {
                "model": row.model,
                "runtime": row.runtime,
                "found": row.found,
                "figures": {name: figure.as_dict() for name, figure in row.figures.items()} if show else None,
            }
            for row in self.rows
        ]
        return {
            "quotable": self.quotable,
            "reasons": list(self.reasons),
            "processor": self.processor,
            "input": {"width": self.width, "height": self.height, "picture": self.picture},
            "versus": self.versus,
            "models": rows,
        }


@dataclass(slots=True)
class _Times:
    """Milliseconds of one model, a list for each round."""

    total: list[list[float]] = field(default_factory=list)
    network: list[list[float]] = field(default_factory=list)
    cold_start: list[float] = field(default_factory=list)
    peak_mb: float | None = None
    found: int = 0
    energy: Turns | None = None


def bench(
    models: Sequence[str],
    *,
    versus: str | None = None,
    width: int = 640,
    height: int = 480,
    threads: int | None = None,
    runs: int = 200,
    cold_starts: int = 3,
    runtime: str = "onnxruntime",
    picture: str | None = None,
) -> BenchReport:
    """Time ``models`` and, beside each, ``versus``, ``runs`` detections each, one picture at a time.

    A process is started ``cold_starts`` times for each model. ``picture`` is resized to ``width`` x ``height`` px;
    without one a synthetic picture is used, in which a network finds nothing and decoding is as cheap as it gets.
    Raises ``ModelError`` for a model that cannot be loaded and ``UsageError`` for options out of range.
    """
    if min(width, height) < 32 or runs < RUNS_PER_ROUND or cold_starts < 1:
        raise UsageError(f"bench: expected sides of 32 px or more and {RUNS_PER_ROUND} runs or more")
    names = list(dict.fromkeys([*models, *([versus] if versus else [])]))
    jobs = {name: Job(name, width, height, threads, runtime, picture) for name in names}
    times = {name: _Times() for name in names}
    for _ in range(cold_starts - 1):
        for name, job in jobs.items():
            with _Worker(job) as worker:
                times[name].cold_start.append(worker.started_ms)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_Worker(job)) for name, job in jobs.items()}
        noise = NoiseMeter(threads=max(worker.ready["threads"] or 1 for worker in workers.values()))
        on_card = any(_on_card(worker.ready) for worker in workers.values())
        sources = find_sources(None if on_card else ())
        stack.callback(sources.close)
        _take_turns(workers, times, noise, sources, -(-runs // RUNS_PER_ROUND))
        for name, worker in workers.items():
            times[name].cold_start.append(worker.started_ms)
            times[name].peak_mb = worker.ask(None)["peak_mb"]
    rows = tuple(_row(name, times, workers[name].ready, versus, sources) for name in names)
    shown = picture or "synthetic, nothing to find"
    return BenchReport(rows, versus, width, height, shown, inspect_hardware().processor, noise.reasons())


def _on_card(ready: dict[str, Any]) -> bool:
    return not ready["device"].lower().startswith("cpu")


def _take_turns(
    workers: dict[str, _Worker], times: dict[str, _Times], noise: NoiseMeter, sources: Sources, rounds: int
) -> None:
    for name, worker in workers.items():
        times[name].energy = Turns(on_card=_on_card(worker.ready))
    noise.start()
    names = list(workers)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            noise.calibrate()
            before = look(sources)
            answer = workers[name].ask(RUNS_PER_ROUND)
            after = look(sources)
            made = RUNS_PER_ROUND + WARM_UP_RUNS
            times[name].energy.add(sources, before, after, cpu_s=answer["cpu_s"], detections=made)
            noise.add_own(answer["cpu_s"])
            times[name].total.append(answer["total_ms"])
            times[name].network.append([ms for ms in answer["network_ms"] if ms is not None])
            times[name].found = answer["found"]
    noise.stop()


def overhead_share(total_ms: Sequence[float], network_ms: Sequence[float]) -> list[float]:
    """Of each run, the part of its time that was not the network's (0 to 1)."""
    return [1 - network / total for total, network in zip(total_ms, network_ms, strict=True)]


def _row(name: str, times: dict[str, _Times], ready: dict[str, Any], versus: str | None, sources: Sources) -> BenchRow:
    own = times[name]
    device, threads = ready["device"], ready["threads"]
    place: dict[str, Any] = {"device": device, "threads": threads}
    figures = {f"p{round(q * 100)}_ms": quantile_figure(own.total, q, unit="ms", **place) for q in (0.5, 0.95, 0.99)}
    figures["network_p50_ms"] = quantile_figure(own.network, 0.5, unit="ms", **place)
    pairs = zip(own.total, own.network, strict=True)
    shares = [overhead_share(total, network) for total, network in pairs if network]
    figures["overhead_share"] = quantile_figure(shares, 0.5, unit="1", **place)
    rates = [[1e3 * len(part) / sum(part)] for part in own.total]
    figures["pictures_per_s"] = quantile_figure(rates, 0.5, unit="1/s", **place)
    cold = np.array(own.cold_start)
    spread = (float(cold.min()), float(cold.max()))
    figures["cold_start_ms"] = Figure(float(np.median(cold)), "ms", "measured", device, threads, len(cold), spread)
    source = "unknown" if own.peak_mb is None else "measured"
    figures["peak_mb"] = Figure(own.peak_mb, "MB", source, device, threads, int(own.peak_mb is not None))
    if own.energy is not None:
        figures["energy_mj"] = energy_figure(sources, own.energy, **place)
    if versus is not None and name != versus:
        others = times[versus].total
        ratios = [[float(np.median(a) / np.median(b))] for a, b in zip(own.total, others, strict=True)]
        figures["ratio"] = quantile_figure(ratios, 0.5, unit="1", **place)
    return BenchRow(name, ready["runtime"], own.found, figures)


class _Worker(AnsweringProcess):
    """One measured process; ``started_ms`` is from before it was made to after its first detection."""

    def __init__(self, job: Job) -> None:
        started = time.perf_counter()
        super().__init__("ligera.deploy.timing.worker", job.to_json(), threads=job.threads)
        self._model = job.model
        self.ready = self.first_answer(job.model)
        self.started_ms = (time.perf_counter() - started) * 1e3

    def ask(self, runs: int | None) -> dict[str, Any]:
        """Times of ``runs`` detections, or with ``None`` the peak memory, after which the process ends."""
        return self.answer("" if runs is None else str(runs), self._model)
