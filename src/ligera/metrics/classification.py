"""How good a classifier is: accuracy with its uncertainty, what it mistakes for what, and each class by itself.

In: ``scores`` ``(N, K)``, logits or probabilities, higher meaning more likely, and the true ``labels`` ``(N,)``, 0 to
K - 1. Out: :class:`ClassificationResult`. The answer is the class of the highest score, the first of equal ones.
A figure that nothing speaks for is NaN, never 0. Source of the interval: Wilson 1927, without continuity correction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

__all__ = ["ClassificationResult", "classification_scores", "confusion_matrix", "wilson_interval"]

TOP = 5
FEWEST_CLASSES_FOR_TOP = 10
LEVEL = 0.95
PROTOCOL = "accuracy of the highest score, 95 % Wilson interval"


@dataclass(frozen=True, slots=True, eq=False)
class ClassificationResult:
    """Shares from 0 to 1, over ``pictures`` of K classes.

    ``low`` and ``high`` are the 95 % interval of ``accuracy``. ``balanced_accuracy`` is the mean recall of the classes
    that occur. ``top5`` is how often the label is among the five highest scores; ``None`` under ten classes.
    ``confusion`` ``(K, K)`` int64 counts pictures of the row's class that were taken for the column's. ``precision``,
    ``recall``, ``f1`` ``(K,)`` and ``support`` ``(K,)`` int64 are each class's own: recall is NaN for a class that does
    not occur, precision for one never given, F1 where both are so.
    """

    accuracy: float
    low: float
    high: float
    balanced_accuracy: float
    top5: float | None
    confusion: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    pictures: int
    protocol: str = PROTOCOL

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """Everything ready for JSON, each class by its name; NaN becomes ``None``. ``ValueError`` unless K names."""
        if len(names) != len(self.support):
            raise ValueError(f"names: expected {len(self.support)}, one for each class, got {len(names)}")
        columns = zip(names, self.precision, self.recall, self.f1, self.support, strict=True)
        return {
            "accuracy": _known(self.accuracy),
            "low": _known(self.low),
            "high": _known(self.high),
            "balanced_accuracy": _known(self.balanced_accuracy),
            "top5": None if self.top5 is None else _known(self.top5),
            "pictures": self.pictures,
            "protocol": self.protocol,
            "classes": [
                {"name": name, "precision": _known(p), "recall": _known(r), "f1": _known(f), "support": int(n)}
                for name, p, r, f, n in columns
            ],
            "confusion": self.confusion.tolist(),
        }


def classification_scores(scores: np.ndarray, labels: np.ndarray) -> ClassificationResult:
    """Everything about ``scores`` ``(N, K)`` against ``labels`` ``(N,)``; N may be 0.

    Raises ``ValueError`` for other shapes, fewer than two classes, labels out of range and scores that are NaN.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or scores.shape[1] < 2 or scores.dtype.kind not in "fiu":
        raise ValueError(f"scores: expected numbers (N, K) of two classes or more, got {scores.dtype} {scores.shape}")
    count, classes = scores.shape
    _check_labels(labels, count, classes)
    unknown = np.flatnonzero(np.isnan(scores).any(axis=1)) if scores.dtype.kind == "f" else []
    if len(unknown):
        raise ValueError(f"scores: {len(unknown):,} of {count:,} rows hold NaN, row {unknown[0]} first")
    confusion = confusion_matrix(labels, scores.argmax(axis=1), classes)
    right, support, given = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    recall = _ratio(right, support)
    correct = int(right.sum())
    low, high = wilson_interval(correct, count)
    return ClassificationResult(
        accuracy=correct / count if count else math.nan,
        low=low,
        high=high,
        balanced_accuracy=float(recall[support > 0].mean()) if count else math.nan,
        top5=_top(scores, labels) if classes >= FEWEST_CLASSES_FOR_TOP else None,
        confusion=confusion,
        precision=_ratio(right, given),
        recall=recall,
        f1=_ratio(2 * right, support + given),
        support=support,
        pictures=count,
    )


def confusion_matrix(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """``(classes, classes)`` int64: pictures of the row's class that were taken for the column's.

    ``labels`` and ``answers`` are ``(N,)`` whole numbers from 0 to ``classes - 1``; ``ValueError`` for others.
    """
    labels, answers = np.asarray(labels), np.asarray(answers)
    _check_labels(labels, len(answers), classes)
    _check_labels(answers, len(labels), classes, "answers")
    pairs = labels.astype(np.int64) * classes + answers.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def wilson_interval(right: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """The range of shares that ``right`` of ``total`` is a likely outcome of, with confidence ``level``.

    Unlike the share plus or minus two standard errors it stays within 0 and 1 and has a width at either end. NaN
    without any; ``ValueError`` for numbers that cannot be.
    """
    if not 0 <= right <= total or not 0 < level < 1:
        raise ValueError(f"expected 0 <= right <= total and level between 0 and 1, got {right}, {total}, {level}")
    if not total:
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = right / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    # At the ends the exact bound is the end itself, which rounding may miss.
    return 0.0 if right == 0 else middle - half, 1.0 if right == total else middle + half


def _check_labels(labels: np.ndarray, count: int, classes: int, name: str = "labels") -> None:
    if labels.shape != (count,) or (count and labels.dtype.kind not in "iu"):
        raise ValueError(f"{name}: expected ({count},) whole numbers, got {labels.dtype} {labels.shape}")
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"{name}: expected 0 to {classes - 1}, got {labels.min()} to {labels.max()}")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _top(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose label has fewer than ``TOP`` classes before it: higher ones, and equal ones that come first.

    Equal scores rank as they do for the answer itself, so that what is right is also among the five.
    """
    if not len(labels):
        return math.nan
    own = np.take_along_axis(scores, labels[:, None].astype(np.int64), axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    before = (scores > own).sum(axis=1) + ((scores == own) & earlier).sum(axis=1)
    return float((before < TOP).mean())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
