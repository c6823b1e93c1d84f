"""Asks the cache, and where it does not know, the device: a few runs, answers about pictures, visits of a process.

Everything measured is kept at once, so that a killed run goes on where it was. ``cost_s`` is what was spent measuring.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.environment import accuracy_software, device, software
from ligera.deploy.pick.evidence import Screening, Visit
from ligera.deploy.pick.judging import SEED, Judge
from ligera.deploy.pick.process import WorkerProcess
from ligera.deploy.pick.store import Store
from ligera.deploy.pick.turns import calibrate, take_turns
from ligera.deploy.pick.worker import WARM_UP_CALLS, WorkerJob
from ligera.deploy.timing.noise import NoiseMeter
from ligera.errors import LigeraError
from ligera.meter.sources import Sources, find_sources

__all__ = ["MOST_REPEATED", "ROUNDS", "SCREENED_CALLS", "TIMED_PICTURES", "VISITS", "Measurer"]

TIMED_PICTURES = 24
SCREENED_CALLS = 8
ROUNDS = 3
VISITS = 4
# Of visits that a busy machine spoilt, for each candidate.
MOST_REPEATED = 2
LOOKED_AT_ONCE = 64
# Of all pictures, those that are asked about before the first candidates are dropped, and so on.
FRACTIONS = (1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)
FEWEST_PICTURES = 16

Note = Callable[[str], None]
Hopeless = Callable[[Sequence[Visit]], bool]
Value = TypeVar("Value")


@dataclass
class Measurer:
    """Measures candidates on the pictures of ``judge``. ``again`` measures anew what the cache knows from before.

    ``cached`` and ``measured`` count what was taken from where.
    """

    task: str
    data: Path
    judge: Judge
    store: Store
    protocol: str | None = None
    batch: int = 1
    again: bool = False
    note: Note = lambda text: None
    cost_s: float = 0.0
    cached: int = 0
    measured: int = 0
    _worker: WorkerProcess | None = None
    _sources: Sources | None = None
    _device: dict[str, Any] = field(default_factory=device)
    _own: set[str] = field(default_factory=set)

    def __enter__(self) -> Measurer:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._worker is not None:
            self._worker.close()
        if self._sources is not None:
            self._sources.close()

    @functools.cached_property
    def order(self) -> list[int]:
        """All pictures in an order that is always the same and mixes them, so that its beginning stands for all."""
        return np.random.default_rng([SEED, len(self.judge)]).permutation(len(self.judge)).tolist()

    @functools.cached_property
    def timed_rows(self) -> list[int]:
        """The pictures to time, spread evenly over the sizes that there are, smallest first."""
        count = min(len(self.judge), max(TIMED_PICTURES, self.batch))
        by_size = np.argsort(self.judge.areas_px, kind="stable")
        return by_size[np.linspace(0, len(by_size) - 1, count).round().astype(int)].tolist()

    def screen(self, candidate: Candidate, limit_ms: float | None, calls: int = SCREENED_CALLS) -> Screening:
        """Some runs of ``candidate``; stops early where it is slower than ``limit_ms``."""
        rows = self.timed_rows
        rows = [rows[place] for place in np.linspace(0, len(rows) - 1, calls * self.batch).round().astype(int)]
        key = self._time_key(candidate) | {"calls": calls}
        known = self._known("screenings", key, Screening.from_dict)
        if known is not None and (not known.stopped or (limit_ms is not None and min(known.times_ms) > limit_ms)):
            return known
        with _Spent(self) as spent:
            worker = self._opened(candidate)
            noise = NoiseMeter(candidate.threads)
            noise.start()
            calibrate(noise, 3)
            answer = worker.ask("time", about=candidate.key(), **self._timing(candidate, rows, limit_ms))
            calibrate(noise, 3)
            noise.add_own(answer["cpu_s"])
            noise.stop()
        cpu_s = answer["cpu_s"] / answer["pictures"]
        screening = Screening(
            times_ms=tuple(answer["times_ms"]),
            cpu_s=cpu_s,
            cpu_ms=1e3 * cpu_s * self.batch / candidate.threads,
            stopped=answer["stopped"],
            busy=bool(noise.reasons()),
        )
        self._keep("screenings", key, screening.as_dict(), spent.took_s)
        return screening

    def look(self, candidate: Candidate, count: int, known: Mapping[int, Any] | None = None) -> dict[int, Any]:
        """The gist of what ``candidate`` says of the first ``count`` pictures in :attr:`order`; ``known`` are those
        that were asked for before. ``count`` is one of the :attr:`steps`."""
        gists = dict(known or {})
        for start, stop in self._parts(len(gists), count):
            rows = self.order[start:stop]
            said = self._said(candidate, rows)
            gists |= {row: self.judge.gist(row, say) for row, say in zip(rows, said, strict=True)}
        return gists

    def groups(self, candidate: Candidate) -> dict[str, float | None]:
        """Scores by group over all pictures, once ``candidate`` was asked about them all."""
        key = self._look_key(candidate)
        known = self._known("groups", key, dict)
        if known is not None:
            return known
        said: dict[int, Any] = {}
        for start, stop in self._parts(0, len(self.judge)):
            rows = self.order[start:stop]
            said |= zip(rows, self._said(candidate, rows), strict=True)
        found = self.judge.groups(said)
        # no measurement, but seconds of matching for each candidate
        self._own.add(f"groups {key}")
        self.store.write("groups", key, found)
        return found

    def layers(self, candidate: Candidate) -> dict[str, Any] | None:
        """In which precision each layer of ``candidate`` really runs (``layer_audit``); ``None`` where nobody says."""
        key = self._time_key(candidate)
        known = self._known("layers", key, dict)
        if known is not None:
            return known or None
        try:
            with _Spent(self) as spent:
                worker = self._opened(candidate)
                found = worker.ask(
                    "layers",
                    about=candidate.key(),
                    **_opening(candidate),
                    row=self.timed_rows[len(self.timed_rows) // 2],
                )
        except LigeraError:
            # other makers' detectors have no layers that could be told apart
            found = {}
        self._keep("layers", key, found, spent.took_s)
        return found or None

    @property
    def steps(self) -> list[int]:
        """How many pictures are asked about at each step of a race; the last is all of them."""
        count = len(self.judge)
        return sorted({min(count, max(FEWEST_PICTURES, round(count * part))) for part in FRACTIONS})

    def _parts(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Stretches of :attr:`order` that are asked about, and kept, at once: always the same ones."""
        edges = sorted({0, *self.steps, *range(0, len(self.judge), LOOKED_AT_ONCE)})
        return [(low, high) for low, high in pairwise(edges) if start <= low and high <= stop]

    def _said(self, candidate: Candidate, rows: Sequence[int]) -> list[Any]:
        key = self._look_key(candidate) | {"rows": list(rows)}

        def parse(value: Any) -> list[Any]:
            if len(value) != len(rows):
                raise ValueError("expected an answer for each picture")
            # also that each can be read, before it is relied on
            for row, say in zip(rows, value, strict=True):
                self.judge.gist(row, say)
            return value

        known = self._known("answers", key, parse)
        if known is not None:
            return known
        with _Spent(self) as spent:
            worker = self._opened(candidate)
            said = worker.ask("look", about=candidate.key(), rows=list(rows), max_side=candidate.max_side)["said"]
        self._keep("answers", key, said, spent.took_s)
        return said

    def visit(
        self, group: Sequence[Candidate], hopeless: Hopeless = lambda visits: False
    ) -> dict[Candidate, list[Visit]]:
        """The visits of all of ``group``, each in fresh processes that take turns; noisy ones are repeated twice.

        A candidate whose visits so far are ``hopeless`` gets no more of them.
        """
        found: dict[Candidate, list[Visit]] = {candidate: [] for candidate in group}
        for number in range(VISITS + MOST_REPEATED):
            unknown = []
            for candidate, visits in found.items():
                if len(visits) < number or _enough(visits) or hopeless(visits):
                    continue
                known = self._known("visits", self._visit_key(candidate, number), Visit.from_dict)
                if known is None:
                    unknown.append(candidate)
                else:
                    visits.append(known)
            if not unknown:
                continue
            before_s = self.cost_s
            fresh = self.one_visit(unknown)
            share_s = (self.cost_s - before_s) / len(unknown)
            for candidate, visit in fresh.items():
                found[candidate].append(visit)
                self._keep("visits", self._visit_key(candidate, number), visit.as_dict(), share_s)
        return {candidate: best_visits(visits) for candidate, visits in found.items()}

    def one_visit(self, group: Sequence[Candidate]) -> dict[Candidate, Visit]:
        """One stay of each of ``group`` in a fresh process, in turns, whatever the cache holds, and not kept there."""
        self._rest()
        with _Spent(self), ExitStack() as stack:
            workers = {}
            for candidate in group:
                worker = stack.enter_context(WorkerProcess(self._job(), threads=candidate.threads))
                worker.ask("open", about=candidate.key(), **_opening(candidate))
                worker.ask("time", about=candidate.key(), **self._timing(candidate, self.timed_rows[:1], None))
                workers[candidate] = (worker, worker.since_start_ms())
            sources = self._sources = self._sources or find_sources(())
            asked = {candidate: self._timing(candidate, self.timed_rows, None) for candidate in group}
            return take_turns(workers, asked, sources, ROUNDS)

    def _timing(self, candidate: Candidate, rows: Sequence[int], limit_ms: float | None) -> dict[str, Any]:
        return {
            "rows": list(rows),
            "max_side": candidate.max_side,
            "batch": self.batch,
            "limit_ms": limit_ms,
            "warm_up": WARM_UP_CALLS,
        }

    def _opened(self, candidate: Candidate) -> WorkerProcess:
        """A worker that has ``candidate`` open and nothing else to do; one process serves many in turn."""
        worker = self._worker
        if worker is None or not worker.alive:
            self._rest()
            worker = self._worker = WorkerProcess(self._job(), threads=candidate.threads)
        if getattr(worker, "holds", None) != opened_as(candidate):
            worker.holds = None
            worker.ask("open", about=candidate.key(), **_opening(candidate))
            worker.holds = opened_as(candidate)
        return worker

    def _rest(self) -> None:
        """No shared process beside those that are being timed: its threads would not stand still at once."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None

    def _job(self) -> WorkerJob:
        return WorkerJob(self.task, str(self.data), self.protocol)

    def _look_key(self, candidate: Candidate) -> dict[str, Any]:
        return {
            "model": candidate.facts.sha256,
            "max_side": candidate.max_side,
            "runtime": candidate.runtime,
            "data": self.judge.sha256,
            "processor": self._device["processor"],
            "software": accuracy_software(candidate.runtime),
        }

    def _time_key(self, candidate: Candidate) -> dict[str, Any]:
        return self._look_key(candidate) | {
            "threads": candidate.threads,
            "batch": self.batch,
            "device": self._device,
            "software": software(candidate.runtime),
            "timed": TIMED_PICTURES,
            "rounds": ROUNDS,
        }

    def _visit_key(self, candidate: Candidate, number: int) -> dict[str, Any]:
        return self._time_key(candidate) | {"number": number}

    def _known(self, kind: str, key: dict[str, Any], parse: Callable[[Any], Value]) -> Value | None:
        own = f"{kind} {key}" in self._own
        if self.again and not own:
            return None
        found = self.store.read(kind, key, parse)
        self.cached += found is not None and not own
        return found

    def _keep(self, kind: str, key: dict[str, Any], value: Any, took_s: float) -> None:
        self.measured += 1
        self._own.add(f"{kind} {key}")
        self.store.write(kind, key, value, took_s)


class _Spent:
    """Adds the wall time of its block, ``took_s``, to what measuring has cost."""

    took_s = 0.0

    def __init__(self, measurer: Measurer) -> None:
        self._measurer = measurer

    def __enter__(self) -> _Spent:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *error: Any) -> None:
        self.took_s = time.perf_counter() - self._started
        self._measurer.cost_s += self.took_s


def opened_as(candidate: Candidate) -> tuple[Any, ...]:
    """What has to be opened anew: another size of the same model need not be."""
    return (candidate.facts.model, candidate.runtime, candidate.threads)


def _opening(candidate: Candidate) -> dict[str, Any]:
    return {"model": candidate.facts.model, "threads": candidate.threads, "runtime": candidate.runtime}


def _enough(visits: Sequence[Visit]) -> bool:
    quiet = sum(not visit.noise for visit in visits)
    return quiet >= VISITS or len(visits) >= VISITS + MOST_REPEATED


def best_visits(visits: Sequence[Visit]) -> list[Visit]:
    """The quiet visits where there are enough of them, all of them otherwise."""
    quiet = [visit for visit in visits if not visit.noise]
    return quiet if len(quiet) >= VISITS else list(visits)
