"""Nets at a given cost: drawn at random, or the best of all by some gain that adds up over choices. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ligera.errors import RecipeError
from ligera.search.costs import Choice, Costs

__all__ = ["best_within", "check_reachable", "draw_within"]

# Costs are rounded to this share of the band's upper end; the band is narrowed by what rounding may add up to.
STEPS = 8000
TRIES = 200_000
AT_ONCE = 2_000


def check_reachable(costs: Costs, low: float, high: float) -> None:
    """``RecipeError`` where no net's relative cost can lie from ``low`` to ``high``."""
    least, most = costs.extremes()
    if high < least or low > most:
        shares = f"{least:.2f} to {most:.2f} times the target"
        raise RecipeError(f"target: the nets of space {costs.space.name} cost {shares}; give a target in that range")


def draw_within(costs: Costs, low: float, high: float, random: np.random.Generator) -> Choice:
    """A net at random whose relative cost lies from ``low`` to ``high``; ``RecipeError`` where none is met."""
    check_reachable(costs, low, high)
    base = costs.fixed @ costs.factors
    tables = [costs.by_combination(slot) for slot in range(len(costs.slots))]
    for _ in range(TRIES // AT_ONCE):
        k = random.integers(len(base), size=AT_ONCE)
        picked = [random.integers(table.shape[1], size=AT_ONCE) for table in tables]
        total = base[k] + sum(table[k, places] for table, places in zip(tables, picked, strict=True))
        inside = np.flatnonzero((total >= low) & (total <= high))
        if len(inside):
            first = inside[0]
            return int(k[first]), tuple(int(places[first]) for places in picked)
    raise RecipeError(
        f"target: none of {TRIES:,} random nets of space {costs.space.name} cost {low:.3f} to {high:.3f} times the "
        "target; give another target or a wider band"
    )


def best_within(
    costs: Costs, widths: np.ndarray, slots: Sequence[np.ndarray], low: float, high: float
) -> Choice | None:
    """The net of most gain whose relative cost lies from ``low`` to ``high``, or ``None`` where there is none.

    Gains add up: ``widths (K,)`` for channels, ``slots`` an array ``(K or 1, candidates)`` for each slot. Exact up to
    the rounding of costs: a knapsack for each combination of channels, the promising ones first.
    """
    tables = [costs.by_combination(slot) for slot in range(len(costs.slots))]
    gains = [np.broadcast_to(gain, table.shape) for gain, table in zip(slots, tables, strict=True)]
    hopes = widths + sum(gain.max(axis=1) for gain in gains)
    best, found = -np.inf, None
    for k in np.argsort(-hopes, kind="stable"):
        if hopes[k] <= best:
            break
        own = [table[k] for table in tables], [gain[k] for gain in gains]
        fixed = float(costs.fixed[k] @ costs.factors)
        picked = _knapsack(*own, low - fixed, high - fixed)
        if picked is None:
            continue
        gain = float(widths[k]) + sum(float(g[place]) for g, place in zip(own[1], picked, strict=True))
        choice = int(k), picked
        if gain > best and low <= costs.relative(choice) <= high:
            best, found = gain, choice
    return found


def _knapsack(
    amounts: Sequence[np.ndarray], gains: Sequence[np.ndarray], low: float, high: float
) -> tuple[int, ...] | None:
    """One candidate of each slot, of most gain together, with a sum of ``amounts`` from ``low`` to ``high``."""
    if high < 0:
        return None
    unit = max(high, 1e-12) / STEPS
    value = np.full(STEPS + 1, -np.inf)
    value[0] = 0.0
    taken = []
    for amount, gain in zip(amounts, gains, strict=True):
        steps = np.rint(amount / unit)
        grown, choice = np.full(STEPS + 1, -np.inf), np.zeros(STEPS + 1, np.int16)
        for place in np.flatnonzero(steps <= STEPS):
            shift = int(steps[place])
            moved = np.full(STEPS + 1, -np.inf)
            moved[shift:] = value[: STEPS + 1 - shift] + gain[place]
            better = moved > grown
            grown[better], choice[better] = moved[better], place
        value = grown
        taken.append((choice, steps))
    slack = len(amounts) / 2
    first, last = max(int(np.ceil(low / unit + slack)), 0), int(STEPS - slack)
    inside = value[first : last + 1]
    if not len(inside) or not np.isfinite(inside.max()):
        return None
    at, picked = first + int(inside.argmax()), []
    for choice, steps in reversed(taken):
        place = int(choice[at])
        picked.append(place)
        at -= int(steps[place])
    return tuple(reversed(picked))
