"""The cheap part of the race: what size, a few runs and part of the pictures tell of each candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.measuring import Measurer
from ligera.deploy.pick.standing import Standing
from ligera.errors import DataError, LigeraError

__all__ = ["Heats"]

MORE_CALLS = 24
# How many times the limit ends a few runs early.
FAR_OVER = 2.0


class Heats:
    """All candidates' standings, and what drops some of them; ``wider`` is the budget that gives way by a fifth."""

    def __init__(self, standings: list[Standing], budget: Budget, measurer: Measurer) -> None:
        self.standings = standings
        self.budget = budget
        self.wider = budget.relaxed()
        self.measurer = measurer

    @property
    def alive(self) -> list[Standing]:
        return [standing for standing in self.standings if not standing.dropped]

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
            self.attempt(standing, lambda s=standing: self.screen_one(s))
            limit_ms = self.wider.max_ms
            if limit_ms is not None and not standing.dropped and standing.bounds_ms[0] > limit_ms:
                standing.dropped = f"a few runs took {standing.rough_ms:.1f} ms"
                over[standing.candidate.family] = standing

    def screen_one(self, standing: Standing) -> None:
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
                self.attempt(standing, lambda s=standing, n=step: self.hear(s, n))
                asked += [] if standing.dropped else [standing]
            self._drop_losers(step)

    def hear(self, standing: Standing, pictures: int) -> None:
        if standing.heard_from is not None:
            standing.said, standing.heard_from = {}, None
        if len(standing.said) < pictures:
            standing.said = self.measurer.look(standing.candidate, pictures, standing.said)
            standing.value, standing.redrawn = self.measurer.judge.weigh(standing.said)

    def hear_all(self, standing: Standing) -> None:
        self.attempt(standing, lambda: self.hear(standing, len(self.measurer.judge)))

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

    def attempt(self, standing: Standing, work: Callable[[], object]) -> None:
        """Do ``work``; a candidate that cannot is out and says why, trouble with the data ends everything."""
        try:
            work()
        except DataError:
            raise
        except LigeraError as error:
            standing.dropped, standing.broken = f"cannot run: {error}", True
