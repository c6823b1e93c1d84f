"""The answer: the most accurate candidate that keeps the budget, what just missed it, what a wider one would buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ligera.deploy.pick.budget import LIMITS, Budget
from ligera.deploy.pick.row import Row

__all__ = ["Choice", "choose", "enough_budget", "winner_of"]

MOST_MISSED = 3
# A budget that lets in a model less than half as accurate as the best is no answer.
USEFUL = 0.5
# How many times over a limit still counts as just missed.
JUST = 1.5
PLACES = {"max_ms": 1, "max_mb": 2, "max_joule": 4, "max_drop": 1}


@dataclass(frozen=True, slots=True)
class Choice:
    """``winner`` is ``None`` where nothing fits; then ``enough`` says which budgets would do, smallest changes first.

    ``missed`` are more accurate than the winner and break a limit by less than half; ``relaxed`` is the winner of a
    budget wider by a fifth where it is more accurate; ``thrifty`` is as accurate as the winner as far as anyone can
    tell, and cheaper.
    """

    winner: Row | None
    missed: tuple[Row, ...]
    relaxed: Row | None
    thrifty: Row | None
    enough: tuple[str, ...]


def choose(rows: Sequence[Row], budget: Budget) -> Choice:
    """The choice among those of ``rows`` that were measured in full."""
    measured = [row for row in rows if row.costs is not None]
    winner = winner_of(measured, budget)
    if winner is None:
        return Choice(None, _nearest(measured, budget), None, None, enough_budget(measured, budget))
    better = [row for row in measured if row.rank > winner.rank and row.costs.broken(budget)]
    relaxed = winner_of(measured, budget.relaxed())
    return Choice(
        winner,
        _nearest([row for row in better if _excess(row, budget) < JUST], budget),
        relaxed if relaxed is not None and relaxed.rank > winner.rank else None,
        _thrifty(measured, winner, budget),
        (),
    )


def _nearest(rows: Sequence[Row], budget: Budget) -> tuple[Row, ...]:
    """The few that are least over; of one model at one size only the nearest."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: _excess(row, budget)):
        found.setdefault(row.candidate.label, row)
    return tuple(found.values())[:MOST_MISSED]


def winner_of(rows: Sequence[Row], budget: Budget) -> Row | None:
    """The most accurate that keeps ``budget``; to a tenth of a point, of equals the fastest."""
    fitting = [row for row in rows if row.costs is not None and not row.costs.broken(budget)]
    return max(fitting, key=lambda row: (row.rank, -row.costs.promised_ms), default=None)


def _thrifty(rows: Sequence[Row], winner: Row, budget: Budget) -> Row | None:
    """One that takes at most 0.8 of the winner's time and may as well be the more accurate one, by the intervals."""
    lowest = winner.accuracy.low if winner.accuracy.low is not None else winner.accuracy.value
    fit = [row for row in rows if not row.costs.broken(budget) and row.accuracy.value >= lowest]
    cheap = [row for row in fit if row.costs.promised_ms <= 0.8 * winner.costs.promised_ms]
    return max(cheap, key=lambda row: row.rank, default=None)


def enough_budget(rows: Sequence[Row], budget: Budget) -> tuple[str, ...]:
    """Smallest changes of the budget that would let a useful one of ``rows`` in, as options of the command line."""
    found: dict[tuple[str, ...], tuple[float, str]] = {}
    least = USEFUL * max((row.accuracy.value for row in rows), default=0.0)
    for row in (row for row in rows if row.accuracy.value >= least):
        broken = row.costs.broken(budget)
        if None in broken.values():
            continue
        options = " ".join(f"{LIMITS[name]} {_up(value, PLACES[name])}" for name, value in broken.items())
        offer = (
            _excess(row, budget),
            f"{options} lets in {row.candidate.key()} ({row.metric} {row.accuracy.value:.3f})",
        )
        key = tuple(broken)
        found[key] = min(found.get(key, offer), offer)
    return tuple(text for _, text in sorted(found.values()))


def _excess(row: Row, budget: Budget) -> float:
    """How many times over its limits a row is, by the worst of them; 1 or less for one that fits."""
    broken = row.costs.broken(budget)
    parts = [
        float("inf") if value is None else (value + 1e-9) / (getattr(budget, name) + 1e-9)
        for name, value in broken.items()
    ]
    return max(parts, default=1.0)


def _up(value: float, places: int) -> str:
    """A limit that ``value`` is within, written with as few decimals as will do."""
    step = 10**-places
    return f"{(int(value / step) + 1) * step:.{places}f}"
