"""Mean and spread of few repetitions: Student's interval over seeds, and over differences of paired seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t


@dataclass(frozen=True, slots=True)
class Spread:
    """``mean`` of ``n`` values, their standard deviation, and half the 95 % interval of the mean (NaN for one)."""

    mean: float
    deviation: float
    half: float
    n: int

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half


def spread(values: Sequence[float]) -> Spread:
    """Of one or more values; ``ValueError`` for none."""
    if not len(values):
        raise ValueError("values: expected one or more")
    n = len(values)
    if n == 1:
        return Spread(float(values[0]), float("nan"), float("nan"), 1)
    deviation = float(np.std(values, ddof=1))
    half = float(t.ppf(0.975, n - 1)) * deviation / n**0.5
    return Spread(float(np.mean(values)), deviation, half, n)


def paired(values: Sequence[float], base: Sequence[float]) -> Spread:
    """Of ``values[i] - base[i]``: what is common to both of a pair, such as a seed's data, drops out."""
    return spread([value - other for value, other in zip(values, base, strict=True)])
