"""One engine against the clock, on items that count: what ``auto`` compares.

In: a flow through the engine's pool. Out: its outcomes, and then a :class:`Finding`. Workers stay busy from one stretch
to the next, so that none is charged for an end that a run does not have.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field

from ligera.data.engines.effort import Effort
from ligera.data.engines.flow import Flow, Source
from ligera.data.engines.outcome import Outcome

__all__ = ["Finding", "trial"]

STRETCHES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """``items`` done in ``elapsed_s`` and what they took of processors; no items where there was no telling."""

    items: int = 0
    elapsed_s: float = 0.0
    effort: Effort = field(default_factory=Effort)

    def __add__(self, other: Finding) -> Finding:
        return Finding(self.items + other.items, self.elapsed_s + other.elapsed_s, self.effort + other.effort)

    @property
    def rate(self) -> float:
        return self.items / self.elapsed_s if self.elapsed_s else 0.0


def trial(flow: Flow, source: Source, trial_s: float, most_held: int) -> Generator[Outcome, None, Finding]:
    """Let ``flow`` work for about ``trial_s``, holding at most ``most_held`` items."""
    flow.fill(min(flow.width, most_held))
    # Workers start and make what they need.
    yield from _released(flow, flow.drain())
    found = Finding()
    for _ in range(STRETCHES):
        if source.ended or found.elapsed_s >= trial_s:
            break
        flow.fill(most_held)
        # What was done while the reader had its turn says nothing about the pace.
        outcomes = flow.collect_done()
        stretch = _stretch(flow, outcomes, trial_s / STRETCHES, most_held)
        if not source.ended:
            found += stretch
        yield from _released(flow, outcomes)
    # Another engine may be next, with later items.
    yield from _released(flow, flow.drain())
    return found


def _stretch(flow: Flow, outcomes: list[Outcome], least_s: float, most_held: int) -> Finding:
    """Collect into ``outcomes`` for ``least_s``, or to half of what may be held: the other half stays under way."""
    started = time.perf_counter()
    before, effort_before = flow.progress()
    elapsed_s = 0.0
    flow.fill(most_held)
    while elapsed_s < least_s and len(outcomes) <= most_held // 2 and not flow.idle:
        outcomes += flow.collect()
        flow.fill(most_held)
        elapsed_s = time.perf_counter() - started
    items, effort = flow.progress()
    return Finding(items - before, elapsed_s, effort - effort_before)


def _released(flow: Flow, outcomes: list[Outcome]) -> Generator[Outcome, None, None]:
    """Nothing is taken from the source before the reader has them all, so they may be let go together."""
    flow.release(len(outcomes))
    yield from outcomes
