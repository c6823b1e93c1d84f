"""Thresholds at a chosen false-accept rate, and what they come to on people never seen.

In: logits ``(N, K)`` of K persons and labels ``(N,)``, -1 for anybody else. Out: a threshold for each person, shares
with 95 % Wilson intervals, and the points of ROC curves.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ligera.errors import UsageError
from ligera.metrics.classification import wilson_interval

__all__ = ["Outcome", "Share", "judge", "roc_points", "thresholds_at"]


@dataclass(frozen=True, slots=True)
class Share:
    """``right`` of ``total``, with the 95 % Wilson interval of the share; NaN without any."""

    right: int
    total: int

    @property
    def value(self) -> float:
        return self.right / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.right, self.total)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; shares without any are ``None``."""
        low, high = self.interval
        numbers = {"value": self.value, "low": low, "high": high}
        known = {name: None if math.isnan(number) else round(number, 5) for name, number in numbers.items()}
        return asdict(self) | known


@dataclass(frozen=True, slots=True)
class Outcome:
    """``accuracy`` over all, ``accepted`` of the persons' own faces by their own name, ``false_accepts`` of others'
    faces by any name; ``balanced`` is the mean of accepted and not falsely accepted."""

    accuracy: Share
    accepted: Share
    false_accepts: Share

    @property
    def balanced(self) -> float:
        return (self.accepted.value + 1 - self.false_accepts.value) / 2

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        shares = {name: getattr(self, name).as_dict() for name in ("accuracy", "accepted", "false_accepts")}
        return shares | {"balanced": None if math.isnan(self.balanced) else round(self.balanced, 5)}


def thresholds_at(logits: np.ndarray, labels: np.ndarray, far: float) -> np.ndarray:
    """``(K,)`` float64: for each person a threshold that lets at most ``far`` of all others' faces pass.

    It accepts every own face that the rate allows, but no stranger who comes in for nothing: it lies half way between
    the lowest own face accepted and the next stranger's below.
    """
    if not 0 < far < 1:
        raise UsageError(f"--far: expected a share between 0 and 1, got {far:g}")
    values = logits.astype(np.float64)
    return np.array([_threshold(values[labels == k, k], values[labels != k, k], far) for k in range(logits.shape[1])])


def _threshold(own: np.ndarray, strangers: np.ndarray, far: float) -> float:
    ordered = np.sort(strangers)[::-1]
    may_pass = int(far * len(ordered))
    if may_pass >= len(ordered):
        return 0.0
    accepted = own[own > ordered[may_pass]]
    if not len(accepted):
        return float(ordered[0]) + 1.0
    lowest = float(accepted.min())
    return (lowest + float(ordered[ordered < lowest].max())) / 2


def judge(logits: np.ndarray, labels: np.ndarray, thresholds: np.ndarray) -> Outcome:
    """What the answers at ``thresholds`` come to: the person furthest above the own threshold, or nobody."""
    margins = logits - thresholds
    best = margins.argmax(axis=1)
    answers = np.where(margins[np.arange(len(margins)), best] > 0, best, -1)
    own, strangers = labels >= 0, labels < 0
    return Outcome(
        Share(int((answers == labels).sum()), len(labels)),
        Share(int((answers[own] == labels[own]).sum()), int(own.sum())),
        Share(int((answers[strangers] >= 0).sum()), int(strangers.sum())),
    )


def roc_points(scores: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-accept and true-accept rate ``(M,)`` of one person's ``scores (N,)`` at every threshold, both rising."""
    order = np.argsort(-scores, kind="stable")
    hits, passed = np.cumsum(own[order]), np.cumsum(~own[order])
    # of equal scores only the last point can be had
    last = np.append(np.diff(scores[order]) != 0, True)
    false_rate = np.append(0.0, passed[last] / max(int((~own).sum()), 1))
    return false_rate, np.append(0.0, hits[last] / max(int(own.sum()), 1))
