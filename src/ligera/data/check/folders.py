"""Checks pictures in one folder per class: their layout, that each decodes, and which stand in two classes.

In: a folder as :mod:`ligera.data.folders` reads. Out: :class:`ClassReport`. Only sizes are kept of what is decoded, and
only files of equal length are compared, by a checksum of their bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ligera.data.annotations import Problem
from ligera.data.check.classes import ClassReport, Labelled, SplitCount, class_report, twice_labelled
from ligera.data.check.report import Format
from ligera.data.folders import ClassFolders, class_folders_in, find_splits, list_classes
from ligera.data.pictures import read_picture, walk_pictures
from ligera.errors import DataError, PictureError

__all__ = ["FOLDERS"]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    split: str
    label: str


def _recognised(path: Path) -> bool:
    """Two or more folders, or ``train/`` with some, and a picture in one of them."""
    if not path.is_dir():
        return False
    try:
        places = class_folders_in(path)
        laid_out = len(places) > 1 or bool(find_splits(path))
        return laid_out and any(next(walk_pictures(place), None) for place in places)
    except DataError:
        return False


def _check(path: Path, workers: int | None) -> ClassReport:
    places = find_splits(path) if path.is_dir() else {}
    listed = _listed(path, places)
    problems = [problem for part in listed.values() for problem in part.problems]
    problems += _unseen(listed)
    entries = [
        _Entry(file, split, part.names[label])
        for split, part in listed.items()
        for file, label in zip(part.paths, part.labels, strict=True)
    ]
    sizes = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for entry, size in zip(entries, pool.map(_size_or_error, entries), strict=True):
            if isinstance(size, PictureError):
                problems.append(Problem(entry.path, 0, str(size).removeprefix(f"{entry.path}: "), "broken"))
            else:
                sizes.append(size)
    problems += twice_labelled(_of_equal_length(entries))
    return class_report(path, "folders", [_count(*item) for item in listed.items()], sizes, problems)


def _listed(path: Path, places: dict[str, Path]) -> dict[str, ClassFolders]:
    """Each split there is; class folders without any are all training."""
    if not places:
        return {"train": list_classes(path)}
    train = list_classes(places["train"])
    others = {split: list_classes(place, train.names) for split, place in places.items() if split != "train"}
    return {"train": train, **others}


def _unseen(listed: dict[str, ClassFolders]) -> Iterator[Problem]:
    """Classes that are trained but that no picture of another split asks for."""
    for split, part in listed.items():
        folders = {place.name for place in class_folders_in(part.folder)}
        for name in part.names:
            if name not in folders:
                yield Problem(part.folder, 0, f"{split} has no folder of class {name!r}", "suspect")


def _count(split: str, part: ClassFolders) -> SplitCount:
    counts = Counter(part.labels)
    return SplitCount(split, tuple((name, counts[label]) for label, name in enumerate(part.names)))


def _size_or_error(entry: _Entry) -> tuple[int, int] | PictureError:
    try:
        picture = read_picture(entry.path)
    except PictureError as error:
        return error
    return picture.width, picture.height


def _of_equal_length(entries: Iterable[_Entry]) -> Iterator[Labelled]:
    """Files that share their length with another, with a checksum; those that cannot be read were named already."""
    by_length: dict[int, list[_Entry]] = {}
    for entry in entries:
        try:
            by_length.setdefault(entry.path.stat().st_size, []).append(entry)
        except OSError:
            continue
    for length, alike in by_length.items():
        if length == 0 or len({(entry.split, entry.label) for entry in alike}) < 2:
            continue
        for entry in alike:
            try:
                with entry.path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").digest()
            except OSError:
                continue
            yield Labelled(digest, entry.path, entry.split, entry.label)


FOLDERS = Format("folders", "two or more folders of pictures", _recognised, _check, vague=True)
