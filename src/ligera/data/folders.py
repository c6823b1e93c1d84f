"""Pictures sorted into one folder per class, decoded once into one array.

In: ``folder/CLASS/**/*.jpg`` and other pictures, or ``train/``, ``val/`` (``valid/``, ``validation/``) and ``test/``
which each hold class folders. Out: :class:`LabelledPictures` whose names are the folders' in sorted order. A picture
becomes a square by :func:`centre_square`. Hidden files, and what Windows and macOS leave behind, are passed over; all
else that is no picture is a problem, because a class that silently lost half of its pictures still trains.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ligera.data.annotations import Problem, quoted
from ligera.data.pictures import PICTURE_SUFFIXES, read_picture, walk_pictures
from ligera.errors import DataError, PictureError, UsageError, nearest
from ligera.records import LabelledPictures

__all__ = [
    "MOST_BYTES",
    "SMALLEST_SIDE_PX",
    "ClassFolders",
    "centre_square",
    "class_folders_in",
    "find_splits",
    "list_classes",
    "read_folders",
    "read_split",
]

MOST_BYTES = 4 * 2**30
SMALLEST_SIDE_PX = 8
MOST_NAMED = 3
# More threads than this only add pictures that are decoded whole at the same moment.
MOST_WORKERS = 16
_SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """The pictures of one split before any is opened: ``paths`` and ``labels`` side by side, ``names`` the classes."""

    folder: Path
    names: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    problems: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.paths)


def read_folders(
    folder: str | Path,
    side_px: int,
    *,
    names: Sequence[str] | None = None,
    workers: int | None = None,
    most_bytes: int = MOST_BYTES,
) -> LabelledPictures:
    """All pictures of the class folders in ``folder``, ``(N, side_px, side_px, 3)`` uint8 RGB.

    ``names`` are the classes to expect, and their order, as of the training set when reading another; by default the
    folders there, sorted. ``workers`` threads decode (all cores if ``None``). The array takes ``N * side_px**2 * 3``
    bytes, and more than ``most_bytes`` is refused before anything is decoded. Raises ``DataError`` for an empty class,
    fewer than two, a stray file or pictures that cannot be read, naming the first few; ``UsageError`` for a bad side.
    """
    folder = Path(folder)
    _check_side(side_px)
    if folder.is_dir() and (splits := find_splits(folder)):
        there = " and ".join(f"{path.name}/" for path in splits.values())
        raise DataError(f"{folder}: holds {there}, not classes; give one of them, or read all with read_split")
    listed = list_classes(folder, names)
    _refuse(folder, listed.problems)
    _check_memory(folder, len(listed), side_px, most_bytes)
    return _decode(listed, side_px, workers)


def read_split(
    folder: str | Path, side_px: int, *, workers: int | None = None, most_bytes: int = MOST_BYTES
) -> tuple[LabelledPictures, LabelledPictures | None, LabelledPictures | None]:
    """Training, validation and test pictures of ``folder``; the latter two are ``None`` where they do not stand there.

    ``folder`` holds ``train/`` beside any of ``val/`` (or ``valid/``, ``validation/``) and ``test/``, each with class
    folders, or class folders themselves, which are then all training. Labels everywhere are those of the training
    classes. ``most_bytes`` bounds all three together; errors are those of :func:`read_folders`.
    """
    folder = Path(folder)
    _check_side(side_px)
    splits = find_splits(folder) if folder.is_dir() else {}
    if not splits:
        return read_folders(folder, side_px, workers=workers, most_bytes=most_bytes), None, None
    train = list_classes(splits["train"])
    listed = {name: list_classes(path, train.names) for name, path in splits.items() if name != "train"}
    listed["train"] = train
    _refuse(folder, [problem for name in splits for problem in listed[name].problems])
    _check_memory(folder, sum(map(len, listed.values())), side_px, most_bytes)
    decoded = {name: _decode(part, side_px, workers) for name, part in listed.items()}
    return decoded["train"], decoded.get("validation"), decoded.get("test")


def find_splits(folder: Path) -> dict[str, Path]:
    """``train``, ``validation`` and ``test`` -> their folders, where ``folder`` is laid out so; else nothing.

    It is when a ``train/`` there holds folders of its own: a class may be called "train" too, but then holds pictures.
    Raises ``DataError`` where the layout is ambiguous: two names for one split, or other folders beside ``train/``.
    """
    places = class_folders_in(folder)
    spelt = {split: [place for place in places if place.name.lower() in names] for split, names in _SPLIT_NAMES.items()}
    if not any(class_folders_in(place) for place in spelt["train"]):
        return {}
    for split in spelt.values():
        if len(split) > 1:
            raise DataError(f"{folder}: holds both {split[0].name}/ and {split[1].name}/; keep one of them")
    found = {split: matches[0] for split, matches in spelt.items() if matches}
    others = [place.name for place in places if place not in found.values()]
    if others:
        raise DataError(
            f"{folder}: holds {found['train'].name}/ with folders in it and also {_few(others)}; expected either class "
            "folders, or train/, val/ and test/ alone"
        )
    return found


def list_classes(folder: Path, names: Sequence[str] | None = None) -> ClassFolders:
    """The pictures of each class folder by name, none of them opened, and every problem seen on the way.

    ``names``: see :func:`read_folders`; a class of these that has no folder here is no problem. Raises ``DataError``
    when ``folder`` is none.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'is a file, expected a folder' if folder.exists() else 'no such folder'}")
    places = class_folders_in(folder)
    problems = _problems_of_layout(folder, places, names)
    known = tuple(place.name for place in places) if names is None else tuple(names)
    paths: list[Path] = []
    labels: list[int] = []
    for place in places:
        if place.name not in known:
            hint = nearest(place.name, known)
            problems.append(Problem(place, 0, f"is a class that the training pictures do not have{hint}"))
            continue
        pictures = list(walk_pictures(place))
        problems += [Problem(path, 0, f"is no picture by its name; {_REMEDY}") for path in _strays(place)]
        if not pictures:
            problems.append(Problem(place, 0, "is a class without pictures; add some or remove the folder"))
        paths += pictures
        labels += [known.index(place.name)] * len(pictures)
    return ClassFolders(folder, known, tuple(paths), tuple(labels), tuple(problems))


def class_folders_in(folder: Path) -> list[Path]:
    """The folders in ``folder``, sorted, without those that are hidden or that an archiver left."""
    return [path for path in _visible(folder) if path.is_dir()]


_REMEDY = "remove or rename it (.jpg, .png and the like are read)"


def _problems_of_layout(folder: Path, places: list[Path], names: Sequence[str] | None) -> list[Problem]:
    """What is wrong before looking into the class folders."""
    problems = []
    loose = [path for path in _visible(folder) if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES]
    if loose:
        named = _few([path.name for path in loose])
        problems.append(Problem(folder, 0, f"holds pictures outside any class folder ({named})"))
    if not places:
        problems.append(Problem(folder, 0, "holds no class folders; expected one folder of pictures for each class"))
    elif len(places) == 1 and names is None:
        problems.append(Problem(folder, 0, f"holds one class, {quoted(places[0].name)}; expected two or more"))
    return problems


def centre_square(pixels: np.ndarray, side_px: int) -> np.ndarray:
    """``pixels`` ``(H, W, 3)`` with the shorter side made ``side_px`` and the middle of the longer one kept.

    Returns ``(side_px, side_px, 3)``, of the same type. The square is cut out first, so only its pixels are resized: by
    averaging areas where it shrinks, as the finest detail would otherwise turn into noise, and linearly where it grows.
    """
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = pixels[top : top + short, left : left + short]
    if short == side_px:
        return np.ascontiguousarray(square)
    how = cv2.INTER_AREA if short > side_px else cv2.INTER_LINEAR
    return cv2.resize(square, (side_px, side_px), interpolation=how)


def _check_side(side_px: int) -> None:
    if isinstance(side_px, bool) or not isinstance(side_px, int | np.integer) or side_px < SMALLEST_SIDE_PX:
        raise UsageError(f"side_px: expected a whole number of {SMALLEST_SIDE_PX} or more, got {quoted(str(side_px))}")


def _check_memory(folder: Path, pictures: int, side_px: int, most_bytes: int) -> None:
    needed = pictures * side_px * side_px * 3
    if needed <= most_bytes:
        return
    fits = math.isqrt(most_bytes // (3 * pictures))
    remedy = f"side_px {fits} would fit" if fits >= SMALLEST_SIDE_PX else "take fewer pictures"
    raise DataError(
        f"{folder}: {pictures:,} pictures of {side_px} x {side_px} px take {_in_words(needed)} in memory, above the "
        f"limit of {_in_words(most_bytes)}; {remedy}"
    )


def _in_words(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"


def _decode(listed: ClassFolders, side_px: int, workers: int | None) -> LabelledPictures:
    """Every picture into its place of one array; ``DataError`` with the first few that cannot be read."""
    pictures = np.empty((len(listed), side_px, side_px, 3), np.uint8)

    def fill(row: int) -> PictureError | None:
        try:
            pictures[row] = centre_square(read_picture(listed.paths[row]).pixels, side_px)
        except PictureError as error:
            return error
        return None

    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, MOST_WORKERS)) as pool:
        broken = [error for error in pool.map(fill, range(len(listed))) if error]
    if broken:
        raise DataError(f"{_first_few(list(map(str, broken)))}; `ligera data check {listed.folder}` lists all problems")
    return LabelledPictures(pictures, np.array(listed.labels, np.int64), listed.names, tuple(map(str, listed.paths)))


def _refuse(folder: Path, problems: Sequence[Problem]) -> None:
    if problems:
        raise DataError(f"{_first_few(list(map(str, problems)))}; `ligera data check {folder}` lists all problems")


def _first_few(messages: list[str]) -> str:
    more = f" and {len(messages) - MOST_NAMED:,} more" if len(messages) > MOST_NAMED else ""
    return " | ".join(messages[:MOST_NAMED]) + more


def _few(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(quoted(name) for name in names[:MOST_NAMED]) + more


def _visible(folder: Path) -> list[Path]:
    """What stands in ``folder``, sorted, without what is hidden or litter."""
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name.lower() not in _LITTER)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})") from None


def _strays(folder: Path) -> list[Path]:
    """Files under ``folder`` that do not end as pictures do; links to folders are not followed."""
    found, waiting = [], [folder]
    while waiting:
        for path in _visible(waiting.pop()):
            if not path.is_dir():
                found += [path] * (path.suffix.lower() not in PICTURE_SUFFIXES)
            elif not path.is_symlink():
                waiting.append(path)
    return found
