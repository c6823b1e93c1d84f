"""Checks the files of CIFAR-10: that all are there and whole, what each class has, and which pictures stand in two.

In: a folder as :mod:`ligera.data.cifar` reads. Out: :class:`ClassReport`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ligera.data.annotations import Problem, is_file
from ligera.data.check.classes import ClassReport, Labelled, SplitCount, class_report, twice_labelled
from ligera.data.check.report import Format
from ligera.data.cifar import FOLDER, NAMES_FILE, SIDE_PX, SPLITS, find_batches, read_batch, read_names
from ligera.errors import DataError

__all__ = ["CIFAR10"]

PICTURES_A_BATCH = 10_000
CLASSES = 10


def _recognised(path: Path) -> bool:
    try:
        find_batches(path)
    except DataError:
        return False
    return True


def _check(path: Path, workers: int | None) -> ClassReport:
    place = find_batches(path)
    problems: list[Problem] = []
    names = _names(place, problems)
    splits, seen = [], []
    for split, files in SPLITS.items():
        counts = np.zeros(len(names), np.int64)
        for file in files:
            batch = _batch(place / file, len(names), problems)
            if batch:
                counts += np.bincount(batch[1], minlength=len(names))
                seen += _labelled(place / file, split, names, *batch)
        splits.append(SplitCount(split, tuple(zip(names, counts.tolist(), strict=True))))
    problems += twice_labelled(seen)
    return class_report(path, "cifar10", splits, [(SIDE_PX, SIDE_PX)] * len(seen), problems)


def _names(place: Path, problems: list[Problem]) -> tuple[str, ...]:
    """The names of the classes, or their numbers where the names cannot be read."""
    file = place / NAMES_FILE
    try:
        if is_file(file):
            return read_names(file)
        problems.append(Problem(file, 0, "is missing", "missing"))
    except DataError as error:
        problems.append(_problem(file, error))
    return tuple(str(label) for label in range(CLASSES))


def _batch(file: Path, classes: int, problems: list[Problem]) -> tuple[np.ndarray, np.ndarray] | None:
    if not is_file(file):
        problems.append(Problem(file, 0, "is missing", "missing"))
        return None
    try:
        pictures, labels = read_batch(file, classes)
    except DataError as error:
        problems.append(_problem(file, error))
        return None
    if len(labels) != PICTURES_A_BATCH:
        message = f"holds {len(labels):,} pictures, a published batch {PICTURES_A_BATCH:,}"
        problems.append(Problem(file, 0, message, "suspect"))
    return pictures, labels


def _problem(file: Path, error: DataError) -> Problem:
    return Problem(file, 0, str(error).removeprefix(f"{file}: "))


def _labelled(
    file: Path, split: str, names: tuple[str, ...], pictures: np.ndarray, labels: np.ndarray
) -> Iterator[Labelled]:
    """Each picture by a checksum of its pixels."""
    for row, (pixels, label) in enumerate(zip(pictures, labels.tolist(), strict=True)):
        digest = hashlib.sha256(pixels).digest()
        yield Labelled(digest, file, split, names[label], row)


CIFAR10 = Format("cifar10", f"{FOLDER}/data_batch_1", _recognised, _check)
