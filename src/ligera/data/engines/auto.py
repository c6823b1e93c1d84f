"""Which engine is best for this work on this machine: the ``auto`` engine.

The first items are worked on one after another; how long they take, and whether they compute or wait, says which
engines are worth a trial (see ``trial``). Every outcome counts, none is worked out twice, and the order stays that of
the items. Work of a few microseconds an item is never handed to anybody, as handing it over would cost more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from ligera.data.engines.early import begun
from ligera.data.engines.effort import Effort, thread_effort
from ligera.data.engines.flow import Flow, Pool, Source
from ligera.data.engines.outcome import Outcome, PerWorker
from ligera.data.engines.trial import Finding, trial
from ligera.data.engines.worker import LocalWorker, is_coroutine_work
from ligera.errors import LigeraError

__all__ = ["Sample", "automatic", "candidates"]

ENOUGH_S, ENOUGH_ITEMS, LONGEST_S = 0.03, 3, 0.4
TINY_S = 30e-6
BATCH_S = 0.005
# A trial lasts 3 % of the work to come, within these bounds.
TRIAL_SHARE, SHORTEST_TRIAL_S, LONGEST_TRIAL_S = 0.03, 0.15, 1.0
# Starting processes and importing what the work needs; a run that they would not spare as much does without them.
# Where a fork server runs already, its workers are there sooner.
PROCESS_START_S, FORK_START_S = 0.4, 0.1
CLEARLY_BETTER = 1.1


@dataclass(slots=True)
class Sample:
    """What the first items took, and how much of that this thread had a processor or stood in line for one."""

    items: int = 0
    wall_s: float = 0.0
    effort: Effort = field(default_factory=Effort)

    @property
    def item_s(self) -> float:
        return self.wall_s / max(1, self.items)

    @property
    def tiny(self) -> bool:
        return self.item_s < TINY_S

    @property
    def waiting(self) -> bool:
        """Whether the work mostly waits for something else than a processor."""
        return self.effort.computing_s < 0.5 * self.wall_s

    @property
    def enough(self) -> bool:
        if self.tiny and self.items >= 200:
            return True
        return (self.wall_s >= ENOUGH_S and self.items >= ENOUGH_ITEMS) or self.wall_s >= LONGEST_S

    def speedup(self, finding: Finding) -> float:
        """How many times faster than one after another an engine was: by the clock for work that waits, else by effort.

        By effort is: how many workers computed at once, less what an item costs more there than here. That holds on a
        machine that is busy with other things, where the clock may say anything, and where later items are smaller than
        the first, which would make any engine look faster than its workers together can be.
        """
        if not finding.items:
            return 0.0
        if self.waiting or not finding.effort.cpu_s:
            return finding.rate * self.item_s
        # Work that waits a little computes less than all the time even one after another.
        alone = min(1.0, self.effort.computing_s / self.wall_s)
        at_once = finding.effort.computing_s / finding.elapsed_s / alone
        return at_once * min(1.0, (self.effort.cpu_s / self.items) / (finding.effort.cpu_s / finding.items))


def candidates(sample: Sample, work: Any, workers: int) -> tuple[str, ...]:
    """Engines worth a trial, the likeliest first."""
    if sample.tiny:
        return ()
    if sample.waiting:
        return ("async",) if is_coroutine_work(work) else ("async", "threads")
    return ("threads", "processes") if workers > 1 else ()


def automatic(
    work: Callable[[Any], Any] | PerWorker,
    source: Source,
    open_pool: Callable[[str], tuple[Pool, int]],
    workers: int,
    in_flight: int,
    announce: Callable[[str], None],
) -> Generator[Outcome, None, None]:
    """Outcomes of ``work`` on ``source`` by whatever engine turns out best.

    ``open_pool`` starts an engine of that name and says how many items it may hold; ``announce`` is told what is at
    work. At most ``in_flight`` items are held while measuring.
    """
    local = LocalWorker(work)
    try:
        announce("sequential")
        began_s = time.perf_counter()
        local.prepare()
        sample = Sample()
        yield from _measure(local, source, sample, in_flight)
        race = _Race(sample, source, open_pool, announce, workers, in_flight, began_s)
        try:
            for name in candidates(sample, work, workers):
                yield from race.try_out(name)
            winner = race.finish()
        except BaseException:
            race.close()
            raise
        if winner is not None:
            yield from winner.run()
            return
        for item in source.rest():
            yield Outcome(item, *local.answer(item))
    finally:
        local.close()
    source.finish()


def _measure(worker: LocalWorker, source: Source, sample: Sample, in_flight: int) -> Generator[Outcome, None, None]:
    """Work on items here, in batches large enough for the clock, until ``sample`` says enough."""
    batch, warm = 1, False
    while not sample.enough and (chunk := source.take(batch)):
        wall_s, effort = time.perf_counter(), thread_effort()
        answers = [worker.answer(item) for item in chunk]
        wall_s, effort = time.perf_counter() - wall_s, thread_effort() - effort
        if warm or wall_s >= LONGEST_S:
            # The first item also pays for what is loaded on first use.
            sample.items += len(chunk)
            sample.wall_s += wall_s
            sample.effort += effort
        warm = True
        if wall_s < BATCH_S:
            batch = min(2 * batch, in_flight)
        for item, answer in zip(chunk, answers, strict=True):
            yield Outcome(item, *answer)


class _Race:
    """Trials of engines, and the best of them so far; without any it is plain sequential work."""

    def __init__(
        self,
        sample: Sample,
        source: Source,
        open_pool: Callable[[str], tuple[Pool, int]],
        announce: Callable[[str], None],
        workers: int,
        most_held: int,
        began_s: float,
    ) -> None:
        self._sample = sample
        self._source = source
        self._open_pool = open_pool
        self._announce = announce
        self._workers = workers
        self._most_held = most_held
        self._began_s = began_s
        self._best: Flow | None = None
        self._name = "sequential"
        self._speedup = 1.0

    def try_out(self, name: str) -> Generator[Outcome, None, None]:
        """Let an engine work on a stretch of items; keep it if it is clearly the fastest yet."""
        if not self._worth_a_trial(name):
            return
        try:
            pool, in_flight = self._open_pool(name)
        except LigeraError:
            # Work that cannot travel to a process, or processes that cannot be had: the others will do.
            return
        flow = Flow(pool, self._source, in_flight)
        kept = False
        try:
            self._announce(name)
            trial_s = min(max(TRIAL_SHARE * self._left_s(), SHORTEST_TRIAL_S), LONGEST_TRIAL_S)
            finding = yield from trial(flow, self._source, trial_s, min(in_flight, self._most_held))
            speedup = self._sample.speedup(finding)
            kept = speedup > self._speedup * CLEARLY_BETTER
        finally:
            if not kept:
                flow.close()
        if kept:
            if self._best is not None:
                self._best.close()
            self._best, self._name, self._speedup = flow, name, speedup

    def _worth_a_trial(self, name: str) -> bool:
        """Whether ``name`` could save more than it takes to start, beside what we have.

        Workers of engines that compute are at best each as fast as one alone.
        """
        if self._source.ended:
            return False
        left_s = self._left_s()
        if name != "processes":
            return left_s >= SHORTEST_TRIAL_S / 3 and (name == "async" or self._speedup < self._workers)
        return left_s / self._speedup - left_s / self._workers > (FORK_START_S if begun() else PROCESS_START_S)

    def _left_s(self) -> float:
        """Seconds of sequential work to come; where nobody knows, as many as the run has lasted."""
        if self._source.left is None:
            return time.perf_counter() - self._began_s
        return self._source.left * self._sample.item_s

    def finish(self) -> Flow | None:
        """The engine for the rest; ``None`` where none beats working here."""
        if not self._source.ended:
            self._announce(self._name)
        return self._best

    def close(self) -> None:
        if self._best is not None:
            self._best.close()
