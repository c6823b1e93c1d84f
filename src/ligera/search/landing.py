"""Where a search comes down: what it found is timed whole, and chosen again where the clock says otherwise.

A table's sums are right to a few percent, all nets of one kind too high or too low together. So the net taken is
measured; where it misses, the net for a target moved by as much is taken and measured in its turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ligera.search.costs import Choice

__all__ = ["Landed", "land"]

TRIES = 4


@dataclass(frozen=True, slots=True)
class Landed:
    """One net that was tried: its ``choice``, and what it took over the target by table and by clock."""

    choice: Choice
    by_table: float
    measured: float


def land(
    first: Choice,
    pick: Callable[[float], Choice | None],
    relative: Callable[[Choice], float],
    measure: Callable[[Choice], float],
    within: float,
) -> tuple[Landed, ...]:
    """Nets tried, nearest to the target by the clock first; the search ends with the first one ``within`` of it.

    ``pick`` gives the net to take when the table shall say so many times the target; ``relative`` and ``measure`` are
    what a net takes over the target, by table and by clock.
    """
    tried: dict[Choice, Landed] = {}
    choice: Choice | None = first
    while choice is not None and choice not in tried and len(tried) < TRIES:
        tried[choice] = Landed(choice, relative(choice), measure(choice))
        last = tried[choice]
        if abs(last.measured - 1) <= within:
            break
        choice = pick(last.by_table / last.measured)
    return tuple(sorted(tried.values(), key=lambda one: abs(one.measured - 1)))
