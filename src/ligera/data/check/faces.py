"""What a set of labelled faces holds and what is wrong with it, by file and line: WIDER FACE's layout and RetinaFace's.

In: a folder or annotation file. Out: :class:`CheckReport`. Every picture is decoded once, in a pool of threads (OpenCV
leaves Python's lock), and only its size is kept, so memory stays at a few pictures whatever the data set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ligera import boxes
from ligera.data.annotations import Problem, ProblemKind, is_file, text_lines
from ligera.data.check.report import Format, bars, is_sound, problem_rows
from ligera.data.faces import FaceSample, FaceSet, read_retinaface
from ligera.data.pictures import read_picture
from ligera.data.widerface import read_widerface
from ligera.errors import PictureError

__all__ = ["RETINAFACE", "SIZE_EDGES_PX", "WIDERFACE", "CheckReport", "SizeBucket"]

SIZE_EDGES_PX = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class SizeBucket:
    """How many faces measure ``from_px`` or more and less than ``below_px`` (``None``: no upper end)."""

    from_px: int
    below_px: int | None
    faces: int


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What stands at ``path``.

    ``pictures`` includes ``backgrounds``, those without any face; ``faces`` are boxes to be found, ``ignore_regions``
    neither face nor background. A face's size in ``sizes`` is the square root of its area in px². ``landmark_share`` is
    the part of faces with all five points (0 to 1; ``None`` without faces). ``missing`` and ``broken`` count pictures.
    """

    path: str
    format: str
    pictures: int
    backgrounds: int
    faces: int
    ignore_regions: int
    sizes: tuple[SizeBucket, ...]
    landmark_share: float | None
    missing: int
    broken: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the data can be trained on as it stands: no problem is more than suspect."""
        return is_sound(self.problems)

    def as_dict(self) -> dict[str, Any]:
        """The report ready for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["sizes"] = [{"from_px": s.from_px, "below_px": s.below_px, "faces": s.faces} for s in self.sizes]
        plain["problems"] = problem_rows(self.problems)
        return plain

    def lines(self) -> Iterator[str]:
        """Pictures, faces and a histogram of their sizes, for a person to read."""
        yield f"{self.pictures:,} pictures, {self.backgrounds:,} of them without faces"
        known = "" if self.landmark_share is None else f", {self.landmark_share:.0%} of them with five landmarks"
        yield f"{self.faces:,} faces{known}; {self.ignore_regions:,} ignore regions"
        if self.faces:
            yield "faces by size (square root of area, px)"
            ends = ("up" if size.below_px is None else size.below_px for size in self.sizes)
            labels = [f"{size.from_px:>5} - {end:<4}" for size, end in zip(self.sizes, ends, strict=True)]
            yield from bars([(label, size.faces) for label, size in zip(labels, self.sizes, strict=True)])


def _check(path: Path, format: str, read: Callable[..., FaceSet], workers: int | None) -> CheckReport:
    faces = read(path, strict=False)
    problems = [*faces.problems, *_picture_problems(faces, workers)]
    kinds = {kind: sum(p.kind == kind for p in problems) for kind in get_args(ProblemKind)}
    return CheckReport(
        path=str(path),
        format=format,
        pictures=len(faces),
        backgrounds=sum(len(sample.targets) == 0 for sample in faces.samples),
        faces=faces.face_count,
        ignore_regions=sum(len(sample.targets.ignore) for sample in faces.samples),
        sizes=_size_histogram(faces),
        landmark_share=_landmark_share(faces),
        missing=kinds["missing"],
        broken=kinds["broken"],
        problems=tuple(problems),
    )


def _is_widerface(path: Path) -> bool:
    """By the name of a list in a folder; of a file by its first lines, a path and a count."""
    if path.is_dir():
        return any(path.glob("*_bbx_gt.txt")) or any(path.glob("wider_face_split/*_bbx_gt.txt"))
    first = _first_lines(path)
    return len(first) == 2 and not first[0].startswith("#") and first[1].isdigit()


def _is_retinaface(path: Path) -> bool:
    """By the name of a label file in a folder; of a file by its first line, ``# path``."""
    if path.is_dir():
        return any(path.glob("label*.txt"))
    first = _first_lines(path)
    return bool(first) and first[0].startswith("#")


def _first_lines(file: Path) -> list[str]:
    return [text for _, text in islice(text_lines(file, []), 2)] if is_file(file) else []


WIDERFACE = Format(
    "widerface",
    "wider_face_split/*_bbx_gt.txt",
    _is_widerface,
    lambda path, workers: _check(path, "widerface", read_widerface, workers),
)
RETINAFACE = Format(
    "retinaface",
    "label.txt",
    _is_retinaface,
    lambda path, workers: _check(path, "retinaface", read_retinaface, workers),
)


def _picture_problems(faces: FaceSet, workers: int | None) -> Iterable[Problem]:
    """Decode every picture that is there; yield those that break, and faces that lie outside theirs."""
    missing = {problem.line for problem in faces.problems if problem.kind == "missing"}
    present = [sample for sample in faces.samples if not (sample.line and sample.line in missing)]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for sample, size in zip(present, pool.map(_size_or_error, present), strict=True):
            file = faces.file if sample.line else sample.path
            if isinstance(size, PictureError):
                message = str(size) if sample.line else str(size).removeprefix(f"{sample.path}: ")
                yield Problem(file, sample.line, message, "broken")
            else:
                yield from _outside(file, sample, *size)


def _size_or_error(sample: FaceSample) -> tuple[int, int] | PictureError:
    try:
        picture = read_picture(sample.path)
    except PictureError as error:
        return error
    return picture.width, picture.height


def _outside(file: Path, sample: FaceSample, width: int, height: int) -> Iterable[Problem]:
    corners = sample.targets.boxes
    for row in np.flatnonzero((corners[:, 0] >= width) | (corners[:, 1] >= height)):
        x, y = corners[row, :2]
        message = f"a box starting at ({x:g}, {y:g}) lies outside its {width} x {height} px picture"
        yield Problem(file, sample.face_lines[row], message, "suspect")


def _size_histogram(faces: FaceSet) -> tuple[SizeBucket, ...]:
    areas = [boxes.area(sample.targets.boxes) for sample in faces.samples]
    sizes_px = np.sqrt(np.concatenate(areas)) if areas else np.zeros(0)
    counts = np.bincount(np.digitize(sizes_px, SIZE_EDGES_PX), minlength=len(SIZE_EDGES_PX) + 1)
    ends = zip((0, *SIZE_EDGES_PX), (*SIZE_EDGES_PX, None), counts, strict=True)
    return tuple(SizeBucket(low, high, int(count)) for low, high, count in ends)


def _landmark_share(faces: FaceSet) -> float | None:
    if not faces.face_count:
        return None
    known = sum(int(np.isfinite(sample.targets.landmarks).all(axis=(1, 2)).sum()) for sample in faces.samples)
    return known / faces.face_count
