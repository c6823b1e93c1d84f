"""Recognition judged end to end: a photo in, its face found and squared, and whose it is told, or that it is nobody's.

The data is a folder for each person, named as in the bundle, and one called ``others`` or ``unknown`` of anybody else;
photos may lie in folders below. The score is the mean over persons and strangers of the share that is told right, so
that a few photos of a person weigh as much as thousands of strangers. A photo without a face that is found counts as
told to be nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.folders import class_folders_in
from ligera.data.headers import read_header
from ligera.data.pictures import read_picture, walk_pictures
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.enrolling.photos import UNKNOWN
from ligera.deploy.pick.judging import redraws
from ligera.deploy.pick.judging.classes import digest_of
from ligera.errors import DataError, ModelError
from ligera.records import Picture

__all__ = ["PeopleJudge", "PeopleModel", "recognising"]

OTHERS = ("others", UNKNOWN)
ROUNDS = 400


class PeopleModel:
    """A bundle of ``ligera enroll``; ``engine`` is its network, as of any model."""

    def __init__(self, classifier: Classifier) -> None:
        self.engine = classifier

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.engine.labels

    def detect(self, pixels: np.ndarray, *, max_side: int | None = None) -> str:
        """Whose the main face of ``pixels`` is, ``unknown`` for a stranger's or where none is found."""
        return self.engine.classify(pixels).label

    def close(self) -> None:
        self.engine.close()


def recognising(model: Any, file: str) -> Any:
    """A loaded classifier as a :class:`PeopleModel`; what is no classifier as it is.

    Raises ``ModelError`` for a classifier that knows no faces.
    """
    if not isinstance(model, Classifier):
        return model
    if not model.finds_faces:
        raise ModelError(f"{file}: is a classifier that knows no faces; make one with `ligera enroll`")
    return PeopleModel(model)


class PeopleJudge:
    """Balanced accuracy over persons and strangers, at the thresholds that a bundle brings."""

    metric = "recognition"
    group_name = "share told right, of"
    longest_px = 0

    def __init__(self, data: Path) -> None:
        if not data.is_dir():
            raise DataError(f"{data}: no such folder; expected one with a folder for each person, and others")
        folders = class_folders_in(data)
        self.persons = tuple(sorted(folder.name for folder in folders if folder.name not in OTHERS))
        if not self.persons or len(folders) == len(self.persons):
            raise DataError(f"{data}: expected a folder for each person to know, and a folder others of anybody else")
        self._paths, self._names = [], []
        for folder in folders:
            found = list(walk_pictures(folder))
            if not found:
                raise DataError(f"{folder}: no pictures there")
            self._paths += found
            self._names += [UNKNOWN if folder.name in OTHERS else folder.name] * len(found)
        self.protocol = (
            "mean share told right over persons and strangers, at each bundle's own threshold; "
            "face found, squared and recognised"
        )
        self.sha256 = f"people-{digest_of(data)}"
        self.areas_px = np.array([_area(path) for path in self._paths])

    def __len__(self) -> int:
        return len(self._paths)

    def picture(self, row: int) -> Picture:
        return read_picture(self._paths[row])

    def look(self, model: PeopleModel, rows: Sequence[int], max_side: int | None) -> list[str]:
        """Whose each picture is; ``ModelError`` for a bundle that knows others than the data's persons."""
        known = {label for label in model.labels if label != UNKNOWN}
        if known != set(self.persons):
            strange = next(iter(known ^ set(self.persons)))
            raise ModelError(f"{model.name}: its persons are not those of the data ({strange!r} is on one side only)")
        return [model.detect(self.picture(row).pixels, max_side=max_side) for row in rows]

    def gist(self, row: int, say: str) -> bool:
        return str(say) == self._names[row]

    def weigh(self, gists: Mapping[int, bool]) -> tuple[float, np.ndarray]:
        rows = sorted(gists)
        right = np.array([gists[row] for row in rows], np.float64)
        names = np.array([self._names[row] for row in rows])
        times = np.concatenate([np.ones((1, len(rows)), np.int64), redraws(len(rows), ROUNDS)])
        shares = []
        for name in sorted(set(names)):
            own = names == name
            total = times[:, own].sum(axis=1)
            told = times[:, own] @ right[own]
            shares.append(np.divide(told, total, out=np.full(len(times), np.nan), where=total > 0))
        # a set redrawn without one of them is scored on the rest
        value, *redrawn = np.nanmean(shares, axis=0).tolist()
        return value, np.array(redrawn)

    def groups(self, said: Mapping[int, str]) -> dict[str, float | None]:
        """The share told right of each person's photos and of strangers', the rest of whom were taken for somebody."""
        found: dict[str, float | None] = {}
        for name in (*self.persons, UNKNOWN):
            own = [self.gist(row, say) for row, say in said.items() if self._names[row] == name]
            found["strangers" if name == UNKNOWN else name] = sum(own) / len(own) if own else None
        return found


def _area(path: Path) -> int:
    try:
        header = read_header(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return header.width * header.height
