"""Classifiers judged by accuracy, over a folder per class or CIFAR-10, as ``eval --protocol accuracy`` does it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.pick.judging import redraws
from ligera.deploy.scoring.accuracy import read_labelled
from ligera.errors import DataError, ModelError
from ligera.records import Picture

__all__ = ["ClassJudge", "digest_of"]

ROUNDS = 400
MOST_GROUPS = 12
BATCH = 32


class ClassJudge:
    """The share of pictures whose best label is theirs."""

    metric = "accuracy"
    group_name = "recall of class"
    # A classifier brings pictures to a size of its own.
    longest_px = 0

    def __init__(self, data: Path) -> None:
        self._set = read_labelled(data)
        if not len(self._set.labels):
            raise DataError(f"{data}: holds no labelled pictures; a classifier's accuracy cannot be told from it")
        self.protocol = f"accuracy of the best label; {self._set.part}one picture at a time"
        self.sha256 = f"accuracy-{digest_of(data)}"
        self.areas_px = np.ones(len(self._set.labels))

    def __len__(self) -> int:
        return len(self._set.labels)

    def picture(self, row: int) -> Picture:
        return self._set.read(row)

    def look(self, model: Any, rows: Sequence[int], max_side: int | None) -> list[str]:
        """The best label of each picture; ``ModelError`` for a model whose classes are not those of the data."""
        if set(model.labels) != set(self._set.names):
            strange = next(iter(set(model.labels) ^ set(self._set.names)))
            raise ModelError(f"{model.name}: its classes are not those of the data ({strange!r} is on one side only)")
        pictures = (self._set.read(row) for row in rows)
        return [answer.label for answer in model.classify_many(pictures, BATCH)]

    def gist(self, row: int, say: str) -> bool:
        return say == self._set.names[self._set.labels[row]]

    def weigh(self, gists: Mapping[int, bool]) -> tuple[float, np.ndarray]:
        right = np.array([gists[row] for row in sorted(gists)], np.float64)
        return float(right.mean()), redraws(len(right), ROUNDS) @ right / len(right)

    def groups(self, said: Mapping[int, str]) -> dict[str, float | None]:
        """Recall of each class, of the first twelve where there are more."""
        rows = sorted(said)
        right = np.array([self.gist(row, said[row]) for row in rows], np.float64)
        labels = self._set.labels[rows]
        shown = range(min(len(self._set.names), MOST_GROUPS))
        return {
            self._set.names[number]: float(right[labels == number].mean()) if (labels == number).any() else None
            for number in shown
        }


def digest_of(data: Path) -> str:
    """One digest of all files at ``data``, by their paths there."""
    files = sorted(path for path in data.rglob("*") if path.is_file()) if data.is_dir() else [data]
    digest = hashlib.sha256()
    for path in files:
        try:
            content = hashlib.sha256(path.read_bytes()).digest()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
        digest.update(str(path.relative_to(data)).encode(errors="surrogateescape") + b"\0" + content)
    return digest.hexdigest()
