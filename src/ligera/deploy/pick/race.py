"""From many candidates to the few that are measured in full: successive halving that only drops what surely loses.

1. A few runs of each, smallest input first. Whatever is surely over the budget, even when it gives way by a fifth, is
   out, and so are larger inputs of the same model.
2. Answers about an eighth of the pictures, a quarter and so on up to all; of a model that runs in several ways only the
   fastest is asked. After each step a candidate is out that is surely less accurate than one that surely fits, or
   surely slower than one that is surely as accurate.
3. The rest, most accurate first, answers about all pictures itself and is timed in fresh processes until one keeps the
   budget and one keeps the wider budget; the first of these processes is the last where it is far over. Where what
   others were dropped for does not fit after all, those come back.

Without any limit the whole front is measured: all that is not beaten in time and accuracy at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.evidence import Visit
from ligera.deploy.pick.intervals import latency_of
from ligera.deploy.pick.measuring import VISITS, Measurer
from ligera.deploy.pick.standing import Standing
from ligera.errors import DataError, LigeraError

__all__ = ["race"]

MORE_CALLS = 24
GROUP = 3
# How many times the limit ends a few runs early.
FAR_OVER = 2.0
# And how many times it is over in one quiet process, or in two that were not, before a candidate needs no more.
HOPELESS, LOOKS_IN_NOISE = 1.15, 2
# What another runtime may change of the accuracy of a network that is not in fp32.
TWINS_DIFFER = 0.003


def race(
    candidates: Sequence[Candidate], budget: Budget, measurer: Measurer, *, exhaustive: bool = False
) -> list[Standing]:
    """Measure ``candidates`` as far as ``budget`` needs it; all of them in full where ``exhaustive``."""
    run = _Race([Standing(candidate) for candidate in candidates], budget, measurer)
    if exhaustive:
        run.measure_all()
    else:
        run.weigh()
        run.screen()
        run.halve()
        run.measure()
    return run.standings


class _Race:
    def __init__(self, standings: list[Standing], budget: Budget, measurer: Measurer) -> None:
        self.standings = standings
        self.budget = budget
        self.wider = budget.relaxed()
        self.measurer = measurer

    @property
    def alive(self) -> list[Standing]:
        return [standing for standing in self.standings if not standing.dropped]

    def measure_all(self) -> None:
        for standing in self.standings:
            self.measurer.note(f"every picture: {standing.candidate.key()}")
            self._attempt(standing, lambda s=standing: self._hear(s, len(self.measurer.judge)))
        for standing in self.alive:
            self._weigh_precision(standing)
        alive = self.alive
        for start in range(0, len(alive), GROUP):
            self._visit(alive[start : start + GROUP], whole=True)

    def weigh(self) -> None:
        """Files that are too large, even for the wider budget, need no measuring."""
        limit_mb = self.wider.max_mb
        for standing in self.standings if limit_mb is not None else ():
            size_mb = standing.candidate.size_mb
            if size_mb is None:
                standing.dropped = "the size of its file is not known"
            elif size_mb > limit_mb:
                standing.dropped = f"its file has {size_mb:.2f} MB"

    def screen(self) -> None:
        over: dict[tuple[Any, ...], Standing] = {}
        waiting = sorted(self.alive, key=lambda s: (s.candidate.family, s.candidate.max_side or 0))
        for number, standing in enumerate(waiting, start=1):
            self.measurer.note(f"a few runs of {number} of {len(waiting)}: {standing.candidate.key()}")
            smaller = over.get(standing.candidate.family)
            if smaller is not None:
                standing.dropped = f"larger than {smaller.candidate.max_side} px, which is over the time already"
                continue
            self._attempt(standing, lambda s=standing: self._screen(s))
            limit_ms = self.wider.max_ms
            if limit_ms is not None and not standing.dropped and standing.bounds_ms[0] > limit_ms:
                standing.dropped = f"a few runs took {standing.rough_ms:.1f} ms"
                over[standing.candidate.family] = standing

    def _screen(self, standing: Standing) -> None:
        limit_ms = self.wider.max_ms
        stop_ms = None if limit_ms is None else limit_ms * FAR_OVER
        standing.screening = self.measurer.screen(standing.candidate, stop_ms)
        low, high = standing.bounds_ms
        if limit_ms is not None and low <= limit_ms < high:
            standing.screening = self.measurer.screen(standing.candidate, stop_ms, MORE_CALLS)

    def halve(self) -> None:
        count = len(self.measurer.judge)
        for step in self.measurer.steps:
            alive = sorted(self.alive, key=lambda s: s.rough_ms)
            asked: list[Standing] = []
            for number, standing in enumerate(alive, start=1):
                twin = next((other for other in asked if standing.is_twin_of(other)), None)
                if twin is not None and (standing.heard_from is not None or not standing.said):
                    standing.overhear(twin)
                    continue
                words = f"{number} of {len(alive)} on {step:,} of {count:,} pictures: {standing.candidate.key()}"
                self.measurer.note(words)
                self._attempt(standing, lambda s=standing, n=step: self._hear(s, n))
                asked += [] if standing.dropped else [standing]
            self._drop_losers(step)

    def _hear(self, standing: Standing, pictures: int) -> None:
        if standing.heard_from is not None:
            standing.said, standing.heard_from = {}, None
        if len(standing.said) < pictures:
            standing.said = self.measurer.look(standing.candidate, pictures, standing.said)
            standing.value, standing.redrawn = self.measurer.judge.weigh(standing.said)

    def _drop_losers(self, pictures: int) -> None:
        """Those that others lose to stay themselves, so that nothing is dropped for what is not there any more."""
        kept: list[Standing] = []
        count = len(self.measurer.judge)
        for standing in sorted(self.alive, key=lambda s: (-s.rank, s.rough_ms)):
            winner = next((other for other in kept if standing.loses_to(other, self.budget, count)), None)
            if winner is None:
                kept.append(standing)
                continue
            behind = f"{self.measurer.judge.metric} {standing.value:.3f} on {pictures:,} pictures"
            standing.dropped = f"{behind}, where {winner.candidate.key()} has {winner.value:.3f}"
            standing.lost_to = winner

    def measure(self) -> None:
        """Walk down from the most accurate until both budgets are kept, then up to what would be enough if none is."""
        if self.budget.is_open:
            front = sorted(self.alive, key=lambda s: s.rough_ms)
            for standing in front:
                self._attempt(standing, lambda s=standing: self._hear(s, len(self.measurer.judge)))
            front = [standing for standing in front if not standing.dropped]
            for start in range(0, len(front), GROUP):
                self._visit(front[start : start + GROUP])
            return
        for budget in dict.fromkeys((self.budget, self.wider)):
            self._walk(budget)
            timed = -1
            # each pass times something new or is the last
            while timed < self._timed() and not any(s.fits(budget) for s in self.alive) and self._revive(budget):
                timed = self._timed()
                self.halve()
                self._walk(budget)
        if not any(standing.visits for standing in self.standings):
            self._visit_nearest()
        elif not any(standing.fits(self.budget) for standing in self.alive):
            self._complete_nearest()

    def _timed(self) -> int:
        return sum(bool(standing.visits) for standing in self.standings)

    def _revive(self, budget: Budget) -> bool:
        """Bring back what lost to one that does not keep ``budget`` after all; whether there is any."""
        back = [s for s in self.standings if s.lost_to is not None and not s.lost_to.likely_fits(budget)]
        for standing in back:
            standing.dropped, standing.lost_to = "", None
        return bool(back)

    def _walk(self, budget: Budget) -> None:
        waiting = sorted(self.alive, key=lambda s: (-s.rank, s.rough_ms))
        while waiting:
            done = [standing for standing in self.alive if standing.fits(budget)]
            best = max((standing.rank for standing in done), default=-1.0)
            waiting = [standing for standing in waiting if self._may_beat(standing, best, done)]
            group, waiting = self._next(waiting, budget, best)
            self._visit(group)

    def _may_beat(self, standing: Standing, best: float, done: list[Standing]) -> bool:
        """Whether it is worth a look beside ``done``, which fit and of which the most accurate has the rank ``best``.

        Of equals the fastest is wanted, and of one model's twins a few runs have told which that is.
        """
        if any(standing.is_twin_of(other) and standing.answers_as(other) for other in done):
            return False
        heard = standing.heard_from
        return standing.rank >= best - (0 if heard is None or standing.answers_as(heard) else TWINS_DIFFER)

    def _next(self, waiting: list[Standing], budget: Budget, best: float) -> tuple[list[Standing], list[Standing]]:
        """The next few to be timed side by side: no more than up to one that is likely to fit."""
        group: list[Standing] = []
        for place, standing in enumerate(waiting):
            self._attempt(standing, lambda s=standing: self._hear(s, len(self.measurer.judge)))
            self._weigh_precision(standing)
            if standing.dropped or standing.rank < best:
                continue
            if not standing.visits:
                group.append(standing)
            if standing.likely_fits(budget) or len(group) == GROUP:
                return group, waiting[place + 1 :]
        return group, []

    def _weigh_precision(self, standing: Standing) -> None:
        """Points that a converted bundle lost against its original, which is heard in full for it."""
        facts, limit = standing.candidate.facts, self.budget.max_drop
        if facts.precision == "fp32":
            standing.drop_points = 0.0
        original = self._original_of(standing)
        if original is not None:
            self._attempt(original, lambda: self._hear(original, len(self.measurer.judge)))
            if original.value is not None and standing.value is not None:
                standing.drop_points = 100 * (original.value - standing.value)
        if limit is not None and standing.drop_points is None:
            standing.dropped = "what its precision costs is not known, as its original is no candidate"
        elif limit is not None and standing.drop_points is not None and standing.drop_points > limit:
            standing.dropped = f"lost {standing.drop_points:.2f} points to {facts.precision}"

    def _original_of(self, standing: Standing) -> Standing | None:
        own = standing.candidate
        found = [
            other
            for other in self.standings
            if own.facts.source_sha256
            and other.candidate.facts.graph_sha256 == own.facts.source_sha256
            and other.candidate.max_side == own.max_side
            and not other.broken
        ]
        return min(found, key=lambda other: other.candidate.runtime != own.runtime, default=None)

    def _visit(self, group: list[Standing], *, whole: bool = False) -> None:
        if not group:
            return
        hopeless = (lambda visits: False) if whole else self._hopeless
        self.measurer.note(f"timing in fresh processes: {'; '.join(s.candidate.key() for s in group)}")
        try:
            found = self.measurer.visit([standing.candidate for standing in group], hopeless)
        except DataError:
            raise
        except LigeraError:
            # one of them cannot; alone, each can say whether it is the one
            found = {}
            for standing in group:
                self._attempt(standing, lambda s=standing: found.update(self.measurer.visit([s.candidate], hopeless)))
        for standing in group:
            standing.visits = found.get(standing.candidate, [])

    def _hopeless(self, visits: Sequence[Visit]) -> bool:
        """Whether no further visits could bring a candidate into the wider budget, all but surely."""
        limit_ms = self.wider.max_ms
        looks = sum(not visit.noise for visit in visits) or len(visits) // LOOKS_IN_NOISE
        if limit_ms is None or not looks:
            return False
        return latency_of(visits, self.budget.percentile).low > limit_ms * HOPELESS

    def _complete_nearest(self) -> None:
        """Nothing fits: the budget that would do is not told from a first look."""
        while True:
            timed = [standing for standing in self.alive if standing.visits]
            nearest = min(timed, key=lambda s: s.costs(self.budget.percentile).promised_ms, default=None)
            if nearest is None or len(nearest.visits) >= VISITS:
                return
            self._visit([nearest], whole=True)

    def _visit_nearest(self) -> None:
        """Nothing can fit: measure what is least over, so that a budget which would do can be told."""
        runnable = [standing for standing in self.standings if not standing.broken]
        sizes = [s.candidate.size_mb for s in runnable if s.candidate.size_mb is not None]
        for standing in runnable:
            if self.wider.max_mb is not None and standing.candidate.size_mb == min(sizes, default=None):
                self._attempt(standing, lambda s=standing: self._screen(s))
        known = [standing for standing in runnable if standing.screening is not None and not standing.broken]
        if known:
            nearest = min(known, key=lambda s: (self._excess(s), -(s.candidate.max_side or 0), s.rough_ms))
            self._attempt(nearest, lambda: self._hear(nearest, len(self.measurer.judge)))
            self._weigh_precision(nearest)
            self._visit([nearest])

    def _excess(self, standing: Standing) -> float:
        """How many times over the budget a candidate is by what is known, 1 where it is not."""
        parts = [1.0]
        if self.budget.max_ms is not None:
            parts.append(standing.rough_ms / self.budget.max_ms)
        if self.budget.max_mb is not None:
            parts.append((standing.candidate.size_mb or float("inf")) / self.budget.max_mb)
        return max(parts)

    def _attempt(self, standing: Standing, work: Callable[[], object]) -> None:
        """Do ``work``; a candidate that cannot is out and says why, trouble with the data ends everything."""
        try:
            work()
        except DataError:
            raise
        except LigeraError as error:
            standing.dropped, standing.broken = f"cannot run: {error}", True
