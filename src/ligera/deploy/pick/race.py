"""From many candidates to the few that are measured in full: successive halving that only drops what surely loses.

1. A few runs of each, smallest input first. Whatever is surely over the budget, even when it gives way by a fifth, is
   out, and so are larger inputs of the same model.
2. Answers about an eighth of the pictures, a quarter and so on up to all; of a model that runs in several ways only the
   fastest is asked. After each step a candidate is out that is surely less accurate than one that surely fits, or
   surely slower than one that is surely as accurate.
3. The rest, most accurate first, answers about all pictures itself and is timed in fresh processes until one keeps the
   budget and one keeps the wider budget; no more processes than it takes to see that it is over. Where what
   others were dropped for does not fit after all, those come back.

Without any limit the whole front is measured: all that is not beaten in time and accuracy at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.evidence import Visit
from ligera.deploy.pick.heats import Heats
from ligera.deploy.pick.intervals import latency_of
from ligera.deploy.pick.measuring import MOST_REPEATED, VISITS, Measurer
from ligera.deploy.pick.standing import Standing
from ligera.errors import DataError, LigeraError

__all__ = ["race"]

GROUP = 3
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


class _Race(Heats):
    def measure_all(self) -> None:
        for standing in self.standings:
            self.measurer.note(f"every picture: {standing.candidate.key()}")
            self.hear_all(standing)
        for standing in self.alive:
            self._weigh_precision(standing)
        alive = self.alive
        for start in range(0, len(alive), GROUP):
            self._visit(alive[start : start + GROUP])

    def measure(self) -> None:
        """Walk down from the most accurate until both budgets are kept, then up to what would be enough if none is."""
        if self.budget.is_open:
            front = sorted(self.alive, key=lambda s: s.rough_ms)
            for standing in front:
                self.hear_all(standing)
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
        waiting = self.alive
        while waiting:
            done = [s for s in self.alive if s.fits(budget) and len(s.visits) >= VISITS]
            best = max((standing.rank for standing in done), default=-1.0)
            waiting = self._in_order([standing for standing in waiting if self._may_beat(standing, best, done)])
            group, waiting = self._next(waiting, budget, best)
            self._visit(group, budget)

    def _in_order(self, waiting: list[Standing]) -> list[Standing]:
        """Most accurate first; where another runtime may answer better than the first of them, it is asked too."""
        waiting = sorted(waiting, key=lambda s: (-s.rank, s.rough_ms))
        rivals = [s for s in waiting if s.is_twin_of(waiting[0]) and not s.answers_as(waiting[0])]
        for standing in [waiting[0], *rivals] if rivals else ():
            self.hear_all(standing)
        return sorted(waiting, key=lambda s: (-s.rank, s.rough_ms))

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
            self.hear_all(standing)
            self._weigh_precision(standing)
            if standing.dropped or standing.rank < best:
                continue
            if len(standing.visits) < VISITS and not _hopeless(standing.visits, budget):
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
            self.hear_all(original)
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

    def _visit(self, group: list[Standing], budget: Budget = Budget()) -> None:
        """Time ``group`` in fresh processes, as many as it takes to see whether ``budget`` is kept."""
        if not group:
            return
        hopeless = partial(_hopeless, budget=budget)
        self.measurer.note(f"timing in fresh processes: {'; '.join(s.candidate.key() for s in group)}")
        try:
            found = self.measurer.visit([standing.candidate for standing in group], hopeless)
        except DataError:
            raise
        except LigeraError:
            # one of them cannot; alone, each can say whether it is the one
            found = {}
            for standing in group:
                self.attempt(standing, lambda s=standing: found.update(self.measurer.visit([s.candidate], hopeless)))
        for standing in group:
            standing.visits = found.get(standing.candidate, [])

    def _complete_nearest(self) -> None:
        """Nothing fits: the budget that would do is not told from a first look."""
        while True:
            timed = [standing for standing in self.alive if standing.visits]
            nearest = min(timed, key=lambda s: s.costs(self.budget.percentile).promised_ms, default=None)
            if nearest is None or len(nearest.visits) >= VISITS:
                return
            self._visit([nearest])

    def _visit_nearest(self) -> None:
        """Nothing can fit: measure what is least over, so that a budget which would do can be told."""
        runnable = [standing for standing in self.standings if not standing.broken]
        sizes = [s.candidate.size_mb for s in runnable if s.candidate.size_mb is not None]
        for standing in runnable:
            if self.wider.max_mb is not None and standing.candidate.size_mb == min(sizes, default=None):
                self.attempt(standing, lambda s=standing: self.screen_one(s))
        known = [standing for standing in runnable if standing.screening is not None and not standing.broken]
        if known:
            nearest = min(known, key=lambda s: (self._excess(s), -(s.candidate.max_side or 0), s.rough_ms))
            self.hear_all(nearest)
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


def _hopeless(visits: Sequence[Visit], budget: Budget) -> bool:
    """Whether no further visits can bring a candidate into ``budget``.

    A promise is never less than the longest of the visits that it is made from, see ``latency_of``; those that were
    disturbed are among them as soon as there are too many to repeat.
    """
    quiet = [visit for visit in visits if not visit.noise]
    kept = visits if len(visits) - len(quiet) > MOST_REPEATED else quiet
    if budget.max_ms is None or not kept:
        return False
    return latency_of(kept, budget.percentile).high > budget.max_ms
