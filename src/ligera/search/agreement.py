"""Do predicted times agree with measured ones? Error, share within 10 %, rank correlation, and the constants' fit.

In: times in ms, one for each net. All in numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

__all__ = ["Agreement", "agreement", "fit_constants", "kendall_tau"]

NEAR = 0.1


@dataclass(frozen=True, slots=True)
class Agreement:
    """``mape`` is the mean absolute error over the measured time, ``bias`` the mean signed one, ``near_share`` the
    share of nets within 10 %, ``tau`` Kendall's tau-b.
    """

    nets: int
    mape: float
    bias: float
    near_share: float
    tau: float

    def reaches(self) -> bool:
        """At most 5 % error, at least 95 % of nets within 10 %, tau of at least 0.95."""
        return self.mape <= 0.05 and self.near_share >= 0.95 and self.tau >= 0.95

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def agreement(predicted_ms: Sequence[float], measured_ms: Sequence[float]) -> Agreement:
    """How ``predicted_ms`` compare with ``measured_ms``; ``ValueError`` for fewer than two nets."""
    predicted, measured = np.array(predicted_ms, float), np.array(measured_ms, float)
    if len(predicted) < 2 or predicted.shape != measured.shape:
        raise ValueError(f"expected two times or more of each kind, got {len(predicted)} and {len(measured)}")
    errors = predicted / measured - 1
    near = float((np.abs(errors) <= NEAR).mean())
    tau = kendall_tau(predicted, measured)
    return Agreement(len(errors), float(np.abs(errors).mean()), float(errors.mean()), near, tau)


def kendall_tau(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's tau-b of two samples: 1 for one order, -1 for reversed ones, 0 where either does not vary."""
    above = np.triu_indices(len(first), 1)
    a, b = (np.sign(x[:, None] - x[None, :])[above] for x in (first, second))
    untied = np.sqrt(float((a != 0).sum()) * float((b != 0).sum()))
    return float((a * b).sum() / untied) if untied else 0.0


def fit_constants(
    counts: Sequence[Mapping[str, int]], predicted_ms: Sequence[float], measured_ms: Sequence[float]
) -> dict[str, float]:
    """Milliseconds to add for each group's members, so that relative errors are least in squares.

    ``counts`` says of each net how many blocks each stage has, and 1 for ``net``. A group whose number never varies
    cannot be told from ``net`` and gets nothing of its own.
    """
    groups = sorted({name for row in counts for name in row})
    columns = np.array([[row.get(name, 0) for name in groups] for row in counts], float)
    varies = [name == "net" or np.ptp(columns[:, i]) > 0 for i, name in enumerate(groups)]
    used = [name for name, keep in zip(groups, varies, strict=True) if keep]
    measured = np.array(measured_ms, float)
    missing = measured - np.array(predicted_ms, float)
    # a ridge of next to nothing, in units of the mean net, for groups that always come together
    ridge = 1e-3 * np.eye(len(used))
    left = np.vstack([columns[:, varies] / measured[:, None] * measured.mean(), ridge])
    right = np.concatenate([missing / measured, np.zeros(len(used))])
    solution, *_ = np.linalg.lstsq(left, right, rcond=None)
    return {name: float(value * measured.mean()) for name, value in zip(used, solution, strict=True)}
