"""Folders of photos -> squared faces, each with whom it shows and what must not be parted from it.

In: a folder of one person, or one folder for each, and one of other people. Out: :class:`Faces`. Photos in which no
face is found, and files that cannot be read, are left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ligera.data.folders import class_folders_in
from ligera.data.pictures import read_picture, walk_pictures
from ligera.deploy.enrolling.squares import FaceSquares
from ligera.errors import DataError, PictureError, UsageError

__all__ = ["UNKNOWN", "Faces", "LeftOut", "Sighting", "find_faces", "list_people", "list_sightings"]

UNKNOWN = "unknown"
NUMBERED = re.compile(r"(?P<person>.*\D)_\d{2,6}$")

Watch = Callable[[Iterable["Sighting"], int], Iterable["Sighting"]]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A photo of ``label`` (a row of the people to know, -1 for anybody else); ``person`` names others where known."""

    path: Path
    label: int
    person: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A photo that is not learnt from, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """``squares (N, S, S, 3)`` uint8 RGB side by side with the ``sightings`` that they are cut from.

    ``thumbs (N, 2, T)`` float32 are the whole picture and the square, tiny, without mean and of length 1: two photos
    whose thumbs have a scalar product near 1 are near-duplicates.
    """

    names: tuple[str, ...]
    squares: np.ndarray
    thumbs: np.ndarray
    sightings: tuple[Sighting, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def labels(self) -> np.ndarray:
        """``(N,)`` int64, -1 for other people."""
        return np.array([sighting.label for sighting in self.sightings], np.int64)


def list_people(photos: Path, name: str | None) -> dict[str, Path]:
    """Whom to learn and where their photos are: ``name`` in ``photos``, or a person for each folder there."""
    if not photos.is_dir():
        raise DataError(
            f"{photos}: {'is a file, expected a folder of photos' if photos.exists() else 'no such folder'}"
        )
    if name is not None:
        people = {name: photos}
    else:
        people = {folder.name: folder for folder in class_folders_in(photos)}
        if not people:
            raise UsageError(f"{photos}: holds no folders; give a NAME for its photos, or one folder for each person")
    for person in people:
        if not person.strip() or not person.isprintable() or len(person) > 60 or person == UNKNOWN:
            raise UsageError(
                f"NAME: expected printable text of up to 60 characters other than 'unknown', got {person!r}"
            )
    return people


def list_sightings(people: dict[str, Path], others: Path | None) -> list[Sighting]:
    """Every photo of the ``people`` and of ``others``; ``DataError`` for a folder without pictures."""
    found: list[Sighting] = []
    for label, (person, folder) in enumerate(people.items()):
        own = [Sighting(path, label, person) for path in walk_pictures(folder)]
        if not own:
            raise DataError(f"{folder}: no pictures there; expected photos of {person}")
        found += own
    if others is None:
        return found
    if not others.is_dir():
        reason = "is a file, expected a folder" if others.exists() else "no such folder"
        raise DataError(f"{others}: {reason} with photos of other people")
    known = {sighting.path.resolve() for sighting in found}
    strangers = [Sighting(path, -1, whose(path, others)) for path in walk_pictures(others)]
    # a folder of others may hold the person's own, as where both stand in one collection
    strangers = [sighting for sighting in strangers if sighting.path.resolve() not in known]
    if not strangers:
        raise DataError(f"{others}: no pictures of other people there")
    return found + strangers


def whose(path: Path, folder: Path) -> str:
    """Who is in a photo of other people: its folder's name, or what stands before a number as in LFW; else the file."""
    parents = path.relative_to(folder).parts[:-1]
    if parents:
        return "/".join(parents)
    numbered = NUMBERED.match(path.stem)
    return numbered["person"] if numbered else path.name


def find_faces(
    sightings: list[Sighting],
    names: tuple[str, ...],
    squares: FaceSquares,
    side_px: int,
    watch: Watch | None = None,
) -> Faces:
    """The main face of every photo; ``DataError`` for a person, or others, of whom not one face is found."""
    kept: list[Sighting] = []
    cut: list[np.ndarray] = []
    thumbs: list[np.ndarray] = []
    left_out: list[LeftOut] = []
    for sighting in watch(sightings, len(sightings)) if watch else sightings:
        try:
            pixels = read_picture(sighting.path).pixels
        except PictureError as error:
            left_out.append(LeftOut(str(sighting.path), str(error).removeprefix(f"{sighting.path}: ")))
            continue
        square = squares.cut(pixels)
        if square is None:
            left_out.append(LeftOut(str(sighting.path), "no face found"))
            continue
        kept.append(sighting)
        cut.append(square)
        thumbs.append(np.stack([thumb(pixels), thumb(square)]))
    for label in sorted({sighting.label for sighting in sightings}):
        if not any(sighting.label == label for sighting in kept):
            folder = next(sighting.path.parent for sighting in sightings if sighting.label == label)
            raise DataError(f"{folder}: not a face found in {_count(sightings, label)}; give photos that show faces")
    shape = (0, side_px, side_px, 3)
    pictures = np.stack(cut) if cut else np.zeros(shape, np.uint8)
    return Faces(names, pictures, np.stack(thumbs), tuple(kept), tuple(left_out))


def thumb(pixels: np.ndarray, side: int = 16) -> np.ndarray:
    """``(side * side,)`` float32: the picture's grey in ``side`` x ``side`` cells, without mean, of length 1."""
    grey = cv2.cvtColor(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    flat = grey.astype(np.float32).ravel()
    flat -= flat.mean()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)


def _count(sightings: list[Sighting], label: int) -> str:
    number = sum(sighting.label == label for sighting in sightings)
    return f"{number:,} photo{'s' * (number != 1)}"
