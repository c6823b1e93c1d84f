"""How sure a figure is: of a percentile of times what a fresh process will keep, of an accuracy what chance may move.

Times of one process are alike, those of another differ a little; so processes, not calls, are what a promise is made
from. Whether one model is more accurate than another is told on the same redrawn pictures, which leaves the luck of the
draw out of the difference.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ligera.deploy.pick.evidence import Screening, Visit
from ligera.deploy.timing.noise import MAX_VARIATION

__all__ = ["Accuracy", "Latency", "accuracy_of", "latency_of", "screened", "surely_not_better", "surely_worse"]

LEVEL = 0.95
# Chance that a candidate is called worse that is not; many are compared, several times over.
PRUNING_RISK = 0.005
# A few calls in a process that others were in before may be this far off besides, either way.
SCREENING_SLACK = 1 + MAX_VARIATION
SCREENING_HEADROOM = 1.3
# One-sided 95 % quantiles of Student's t for 1 to 12 degrees of freedom.
T_95 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782)
NORMAL_95 = 1.645
# Below a tenth of a point nobody can tell two models apart.
SAME_ACCURACY = 0.001


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a call: ``value`` is the percentile asked for over all visits, ``low`` to ``high`` the range of
    the visits' own, ``promised`` what a fresh process keeps in 19 of 20 cases (``None`` from a single visit).
    ``network_fastest`` is the least that the network took, which other work cannot make longer."""

    value: float
    low: float
    high: float
    promised: float | None
    p50: float
    p95: float
    p99: float
    network_p50: float | None
    network_fastest: float | None
    calls: int
    visits: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """``value`` with the range that holds 95 % of those of redrawn pictures; 0 to 1."""

    value: float
    low: float | None
    high: float | None
    pictures: int


def latency_of(visits: Sequence[Visit], percentile: float) -> Latency:
    """The times of one or more visits together."""
    parts = [np.concatenate([np.array(part) for part in visit.rounds_ms]) for visit in visits]
    pooled, share = np.concatenate(parts), percentile / 100
    own = np.array([np.quantile(part, share) for part in parts])
    network = [ms for visit in visits for part in visit.network_ms for ms in part]
    value = float(np.quantile(pooled, share))
    p50, p95, p99 = (float(np.quantile(pooled, q)) for q in (0.5, 0.95, 0.99))
    return Latency(
        value=value,
        low=float(own.min()),
        high=float(own.max()),
        promised=_promised(own, value),
        p50=p50,
        p95=p95,
        p99=p99,
        network_p50=float(np.median(network)) if network else None,
        network_fastest=float(np.min(network)) if network else None,
        calls=len(pooled),
        visits=len(visits),
    )


def _promised(own: np.ndarray, value: float) -> float | None:
    """Upper prediction bound for one more process, from those seen."""
    count = len(own)
    if count < 2:
        return None
    t = T_95[count - 2] if count - 2 < len(T_95) else NORMAL_95
    return max(value, float(own.mean() + t * own.std(ddof=1) * math.sqrt(1 + 1 / count)))


@functools.lru_cache(maxsize=4096)
def screened(screening: Screening) -> tuple[float, float]:
    """Least and most that a percentile from the 50th on may be, going by a few calls, ms.

    On a busy machine the least is what the processor worked, which others cannot make longer.
    """
    times = np.array(screening.times_ms)
    middle = min(float(np.median(times)), screening.cpu_ms) if screening.busy else float(np.median(times))
    return middle / SCREENING_SLACK, float(np.quantile(times, 0.95)) * SCREENING_HEADROOM


def accuracy_of(value: float, redrawn: np.ndarray, pictures: int) -> Accuracy:
    """A score with its interval; unknown is ``None`` where no redrawn set has one."""
    known = redrawn[~np.isnan(redrawn)]
    if not len(known):
        return Accuracy(value, None, None, pictures)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Accuracy(value, float(low), float(high), pictures)


def surely_worse(redrawn: np.ndarray, than: np.ndarray, seen: int, count: int) -> bool:
    """Whether the first model will stay behind the second on all ``count`` pictures, going by those ``seen``."""
    return _most(redrawn, than, seen, count) < 0


def surely_not_better(redrawn: np.ndarray, than: np.ndarray, seen: int, count: int) -> bool:
    """Whether the first model will not be ahead on all ``count`` pictures by what anyone could tell."""
    return _most(redrawn, than, seen, count) <= SAME_ACCURACY / 2


def _most(redrawn: np.ndarray, than: np.ndarray, seen: int, count: int) -> float:
    """The most that the first may be ahead by.

    Two models that agree on the pictures seen would seem equal for ever, as no redrawing shows what was not seen; so
    what may still be there is added: a difference that shows in one of ``1 / share`` pictures stays hidden among
    ``seen`` with the chance ``exp(-share * seen)``.
    """
    difference = redrawn - than
    known = difference[~np.isnan(difference)]
    if not len(known):
        return math.inf
    hidden = -math.log(PRUNING_RISK) / seen * (1 - seen / count)
    return float(np.quantile(known, 1 - PRUNING_RISK)) + hidden
