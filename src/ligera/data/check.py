"""What a data set holds and what is wrong with it, by file and line: the work behind ``ligera data check``.

In: a folder or annotation file. Out: :class:`CheckReport`. Every picture is decoded once, in a pool of threads (OpenCV
leaves Python's lock), and only its size is kept, so memory stays at a few pictures whatever the data set.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ligera import boxes
from ligera.data.annotations import Problem, ProblemKind, is_file, quoted, text_lines
from ligera.data.faces import FaceSample, FaceSet, read_retinaface
from ligera.data.pictures import read_picture
from ligera.data.widerface import read_widerface
from ligera.errors import DataError, PictureError, UsageError, nearest

__all__ = ["FORMATS", "SIZE_EDGES_PX", "CheckReport", "SizeBucket", "check", "detect_format"]

FORMATS = ("widerface", "retinaface")
_LATER_FORMATS = ("coco", "pagexml", "folders", "cifar10")
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
        return all(problem.kind == "suspect" for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """The report ready for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["sizes"] = [{"from_px": s.from_px, "below_px": s.below_px, "faces": s.faces} for s in self.sizes]
        plain["problems"] = [
            {"file": str(p.file), "line": p.line or None, "kind": p.kind, "message": p.message} for p in self.problems
        ]
        return plain


def check(path: str | Path, format: str | None = None, *, workers: int | None = None) -> CheckReport:
    """Read a data set in full, decode each of its pictures, and report.

    ``format`` is one of ``FORMATS``, or ``None`` to tell from the files; ``workers`` threads decode (all cores if
    ``None``). Raises ``UsageError`` for a format it does not know, ``DataError`` when there is nothing to check.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise UsageError(_unknown_format(format))
    format = format or detect_format(path)
    read = read_widerface if format == "widerface" else read_retinaface
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


def detect_format(path: Path) -> str:
    """Which of ``FORMATS`` stands at ``path``; ``DataError`` when it is none of them or more than one."""
    if is_file(path):
        found = _format_of_file(path)
    elif path.is_dir():
        found = {
            "widerface": any(path.glob("*_bbx_gt.txt")) or any(path.glob("wider_face_split/*_bbx_gt.txt")),
            "retinaface": any(path.glob("label*.txt")),
        }
    else:
        raise DataError(f"{path}: no such file or folder")
    names = [name for name, there in found.items() if there]
    if len(names) == 1:
        return names[0]
    if names:
        raise DataError(f"{path}: may be {' or '.join(names)}; say which with --format")
    raise DataError(
        f"{path}: neither widerface (wider_face_split/*_bbx_gt.txt) nor retinaface (label.txt); say which with --format"
    )


def _format_of_file(file: Path) -> dict[str, bool]:
    """Tell by the first lines: RetinaFace opens with ``# path``, WIDER FACE with a path and a count."""
    first = [text for _, text in islice(text_lines(file, []), 2)]
    retinaface = bool(first) and first[0].startswith("#")
    return {"widerface": len(first) == 2 and not retinaface and first[1].isdigit(), "retinaface": retinaface}


def _unknown_format(format: str) -> str:
    supported = f"formats supported today: {', '.join(FORMATS)}"
    if format in _LATER_FORMATS:
        return f"--format {format} cannot be checked yet; {supported}"
    return f"--format: no format {quoted(format)}{nearest(format, FORMATS)}; {supported}"


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
