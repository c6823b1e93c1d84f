"""WIDER FACE in its own layout: ``wider_face_split/wider_face_SPLIT_bbx_gt.txt``, ``WIDER_SPLIT/images/EVENT/*.jpg``.

In: text that repeats three parts, the picture's path under ``images/``, how many faces, and for each face a line
``x y w h blur expression illumination invalid occlusion pose`` (px, then grades; fractions are read too). A picture
without faces has the count 0 and, in the official files, one line of zeros. Faces marked invalid become ignore regions.
Out: :class:`FaceSet`. Source: the readme of the data set (Yang et al. 2016, WIDER FACE). No picture is opened here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ligera.data.annotations import (
    Problem,
    box_problem,
    is_file,
    name_problem,
    numbers,
    quoted,
    raise_worst,
    text_lines,
)
from ligera.data.faces import FaceSample, FaceSet, PictureFaces
from ligera.errors import DataError

__all__ = ["find_wider_list", "read_widerface"]

_UNKNOWN = np.full((5, 2), np.nan)
_INVALID_COLUMN = 7


def read_widerface(
    source: str | Path, *, split: str | None = None, strict: bool = True, require_pictures: bool = True
) -> FaceSet:
    """Read a WIDER FACE list: the folder that holds ``wider_face_split/``, that folder, or the list file.

    ``split`` ("train" or "val") chooses where a folder holds both lists. ``require_pictures`` makes a picture that is
    not there a problem of its line. Lines that cannot be used are left out and listed in ``problems``; ``strict``
    instead raises ``DataError`` with the first, by file and line, and how many more there are.
    """
    file = find_wider_list(Path(source), split)
    problems: list[Problem] = []
    pictures = _read_list(file, problems)
    if not pictures:
        problems.append(Problem(file, 0, "names no picture; expected a path, a count and that many faces, repeated"))
    samples = _locate(file, pictures, require_pictures, problems)
    if strict:
        raise_worst(problems)
    return FaceSet(file, tuple(samples), tuple(problems))


def find_wider_list(source: Path, split: str | None = None) -> Path:
    """The one ``*_bbx_gt.txt`` at ``source``: itself, in it, or in its ``wider_face_split/``."""
    if is_file(source):
        return source
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder")
    pattern = f"*_{split}_bbx_gt.txt" if split else "*_bbx_gt.txt"
    found = sorted({*source.glob(pattern), *source.glob(f"wider_face_split/{pattern}")})
    if not found:
        raise DataError(f"{source}: expected wider_face_split/{pattern.replace('*', 'wider_face')}, found none")
    if len(found) > 1:
        raise DataError(
            f"{source}: holds {' and '.join(f.name for f in found[:4])}; name one of these files (or a split)"
        )
    return found[0]


def _read_list(file: Path, problems: list[Problem]) -> list[PictureFaces]:
    """Every picture of the list; damage is left behind at the next line that looks like a path."""
    pictures: dict[str, PictureFaces] = {}
    lines = list(text_lines(file, problems))
    place = 0
    while place < len(lines):
        line, text = lines[place]
        place += 1
        if not _is_path(text):
            problems.append(Problem(file, line, f"expected the path of a picture, got {quoted(text)}"))
            place = _next_path(lines, place)
            continue
        if wrong := name_problem(text):
            problems.append(Problem(file, line, wrong))
            place = _next_path(lines, place)
            continue
        if text in pictures:
            first = pictures[text].line
            problems.append(Problem(file, line, f"{quoted(text)} again, after line {first}; joined", "suspect"))
        picture = pictures.setdefault(text, PictureFaces(text, line))
        place = _read_picture(file, lines, place, picture, problems)
    return list(pictures.values())


def _read_picture(
    file: Path, lines: list[tuple[int, str]], place: int, picture: PictureFaces, problems: list[Problem]
) -> int:
    """Read the count and the faces that follow a path; returns where the next picture starts."""
    line, text = lines[place] if place < len(lines) else (picture.line, "the end of the file")
    if not text.isascii() or not text.isdigit():
        problems.append(
            Problem(file, line, f"expected the number of faces in {quoted(picture.name)}, got {quoted(text)}")
        )
        return _next_path(lines, place)
    count, start = int(text[:9]), place + 1
    end = _next_path(lines, start)
    found = end - start
    if count == 0 and found == 1 and not any(_face_values(lines[start][1]) or [1.0]):
        return end
    if found != count:
        problems.append(Problem(file, line, f"says {count:,} faces, {found:,} follow"))
    for face_line, face in lines[start : start + min(count, found)]:
        _read_face(file, face_line, face, picture, problems)
    return end


def _read_face(file: Path, line: int, text: str, picture: PictureFaces, problems: list[Problem]) -> None:
    values = numbers(text)
    if isinstance(values, str):
        problems.append(Problem(file, line, values))
    elif len(values) not in (4, 10):
        problems.append(Problem(file, line, f"expected 10 numbers, got {len(values)}"))
    elif wrong := box_problem(*values[:4]):
        problems.append(Problem(file, line, *wrong))
    elif len(values) == 10 and values[_INVALID_COLUMN] > 0:
        picture.ignore.append(values[:4])
    else:
        picture.add_face(line, values[:4], _UNKNOWN)


def _face_values(text: str) -> list[float] | None:
    values = numbers(text)
    return None if isinstance(values, str) else values


def _is_path(text: str) -> bool:
    """Whether a line can only be a path: the others hold numbers and no letters."""
    return "/" in text or text.lower().endswith((".jpg", ".jpeg", ".png"))


def _next_path(lines: list[tuple[int, str]], place: int) -> int:
    while place < len(lines) and not _is_path(lines[place][1]):
        place += 1
    return place


def _picture_roots(file: Path) -> Iterator[Path]:
    """Folders that the list's paths may start from, the official one first."""
    split = file.name.removeprefix("wider_face_").removesuffix("_bbx_gt.txt")
    for folder in (file.parent.parent, file.parent):
        yield folder / f"WIDER_{split}" / "images"
        yield folder / "images"


def _locate(file: Path, pictures: list[PictureFaces], require: bool, problems: list[Problem]) -> list[FaceSample]:
    roots = list(_picture_roots(file))
    root = next((folder for folder in roots if folder.is_dir()), roots[0])
    samples = []
    for picture in pictures:
        path = root / picture.name
        if require and not is_file(path):
            problems.append(Problem(file, picture.line, f"{quoted(str(path), 200)} is not there", "missing"))
        samples.append(picture.sample(path))
    return samples
