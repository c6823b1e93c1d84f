"""Any classifier over a labelled set, scored: protocol ``accuracy``.

In: a :class:`Classifier` and a folder per class, or CIFAR-10's batches. Out: :class:`AccuracyScores`. Pictures are read
and prepared as ``ligera classify`` does it, a batch at a time, and only what the network says of them is kept. Where
the data has parts, its test pictures are scored, or its validation pictures where there are none for testing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.cifar import find_batches, read_cifar10
from ligera.data.folders import find_splits, list_classes
from ligera.data.pictures import read_picture
from ligera.deploy.classifying.classifier import Classifier
from ligera.errors import DataError, PictureError
from ligera.metrics.classification import ClassificationResult, classification_scores
from ligera.records import Picture

__all__ = ["AccuracyScores", "LabelledSet", "evaluate_classifier", "read_labelled"]

MOST_BATCH = 64
# What is given to a network at a time, px, whatever the size of its input.
MOST_BATCH_PX = 2**22
MOST_NAMED = 5

Watch = Callable[[Iterable[int], int], Iterable[int]]


@dataclass(frozen=True, slots=True)
class AccuracyScores:
    """The ``result`` of a model on ``data``; its classes are ``names``, in the model's order."""

    model: str
    data: str
    protocol: str
    names: tuple[str, ...]
    result: ClassificationResult

    def as_dict(self) -> dict[str, Any]:
        """The scores ready for JSON."""
        return {"model": self.model, "data": self.data, **self.result.as_dict(self.names), "protocol": self.protocol}


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Pictures to be judged by: ``labels`` index ``names``, ``read`` opens the picture of a row. ``part`` says which of
    the data's parts it is, where it has some."""

    names: tuple[str, ...]
    labels: np.ndarray
    read: Callable[[int], Picture]
    part: str = ""


def evaluate_classifier(classifier: Classifier, data: str | Path, *, watch: Watch | None = None) -> AccuracyScores:
    """Run ``classifier`` over the labelled pictures at ``data`` and score what it says.

    ``watch(rows, count)`` may follow the rows of the set on their way. Raises ``DataError`` for data that cannot be
    read, naming the pictures, and for classes that are not those of the model; ``ModelError`` for a network that does
    not answer as its card says.
    """
    pictures = read_labelled(Path(data))
    labels = _in_order_of(classifier.labels, pictures, data)
    broken: list[PictureError] = []
    count = len(labels)
    rows = watch(range(count), count) if watch else range(count)
    parts = list(classifier.logits(_readable(pictures, rows, broken), _batch(classifier)))
    if broken:
        raise DataError(f"{len(broken):,} of {count:,} pictures cannot be read: {_first(broken)}")
    result = classification_scores(np.concatenate(parts), labels)
    protocol = f"{result.protocol}; {pictures.part}{_input_rule(classifier)}"
    return AccuracyScores(classifier.name, str(data), protocol, classifier.labels, result)


def read_labelled(data: Path) -> LabelledSet:
    """The pictures at ``data`` to score a classifier on, those of folders not opened yet; ``DataError`` for none."""
    if _is_cifar10(data):
        whole = read_cifar10(data, "test")
        return LabelledSet(whole.names, whole.labels, lambda row: Picture(whole.pictures[row]), "test pictures; ")
    folder, part = data, ""
    splits = find_splits(data) if data.is_dir() else {}
    if splits:
        split = next((name for name in ("test", "validation") if name in splits), None)
        if split is None:
            raise DataError(f"{data}: holds only pictures for training; to be scored on them, give {splits['train']}")
        folder, part = splits[split], f"{split} pictures; "
    listed = list_classes(folder)
    if listed.problems:
        raise DataError(_first(listed.problems))
    labels = np.array(listed.labels, np.int64)
    return LabelledSet(listed.names, labels, lambda row: read_picture(listed.paths[row]), part)


def _batch(classifier: Classifier) -> int:
    height, width = classifier.card.preprocess.fixed or (1, 1)
    return min(MOST_BATCH, max(1, MOST_BATCH_PX // (height * width)))


def _is_cifar10(data: Path) -> bool:
    try:
        find_batches(data)
    except DataError:
        return False
    return True


def _in_order_of(model: Sequence[str], pictures: LabelledSet, data: str | Path) -> np.ndarray:
    """The labels as the model counts them; ``DataError`` that names the difference where its classes are others."""
    if set(model) == set(pictures.names):
        return np.array([model.index(name) for name in pictures.names], np.int64)[pictures.labels]
    sides = (("data", pictures.names, set(model)), ("model", model, set(pictures.names)))
    alone = {where: [repr(name) for name in own if name not in other] for where, own, other in sides}
    parts = [f"only the {where} has {_first(names, ', ')}" for where, names in alone.items() if names]
    raise DataError(f"{data}: its classes are not those of the model: {'; '.join(parts)}; rename the folders to fit")


def _first(things: Sequence[Any], between: str = "; ") -> str:
    """The first five of ``things`` in words, and how many more there are."""
    more = f"{between}and {len(things) - MOST_NAMED:,} more" if len(things) > MOST_NAMED else ""
    return between.join(str(thing) for thing in things[:MOST_NAMED]) + more


def _readable(pictures: LabelledSet, rows: Iterable[int], broken: list[PictureError]) -> Iterator[Picture]:
    """The pictures of ``rows``. A score without some would be that of another set, so from the first broken one on the
    rest is only looked through for more, to name them all."""
    for row in rows:
        try:
            picture = pictures.read(row)
        except PictureError as error:
            broken.append(error)
            continue
        if not broken:
            yield picture


def _input_rule(classifier: Classifier) -> str:
    rule = classifier.card.preprocess
    height, width = rule.fixed or (0, 0)
    shown = (
        "main face squared" if classifier.finds_faces else "middle square" if rule.crop else "whole picture stretched"
    )
    return f"input {width} x {height} px, {shown}"
