"""Face data as RetinaFace keeps it: ``label.txt``, an optional ``ignore.txt`` beside it, and pictures.

In: text where ``# path`` opens a picture and each following line is one face, ``x y w h`` in px of the picture, then
optionally five times ``x y flag`` (left eye, right eye, nose, left and right mouth corner as the viewer sees them; -1
where unknown) and a score (Deng et al. 2020, RetinaFace; the form of its training labels). ``ignore.txt`` holds
``x y w h score`` regions that are neither face nor background. Paths are relative to ``images/`` beside the label file
where that folder exists, else to the label file's own folder. Out: :class:`FaceSet`. No picture is opened here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
from ligera.data.pictures import walk_pictures
from ligera.errors import DataError
from ligera.records import Targets

__all__ = ["FaceSample", "FaceSet", "PictureFaces", "find_label_file", "read_retinaface"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceSample:
    """One picture and what was drawn in it.

    ``name`` is the path as the annotation file writes it; ``face_lines`` are the lines of that file that each face
    came from (empty where there is no such file) and ``line`` the picture's own.
    """

    path: Path
    targets: Targets
    name: str = ""
    line: int = 0
    face_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """Samples in the order of their annotation ``file``, and every problem met on the way."""

    file: Path
    samples: tuple[FaceSample, ...]
    problems: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def face_count(self) -> int:
        return sum(len(sample.targets) for sample in self.samples)


@dataclass(slots=True)
class PictureFaces:
    """The faces of one picture while its annotation file is being read; boxes as ``x y w h`` px."""

    name: str
    line: int
    boxes: list[list[float]] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)
    face_lines: list[int] = field(default_factory=list)
    ignore: list[list[float]] = field(default_factory=list)

    def add_face(self, line: int, box: list[float], landmarks: np.ndarray) -> None:
        self.boxes.append(box)
        self.landmarks.append(landmarks)
        self.face_lines.append(line)

    def sample(self, path: Path) -> FaceSample:
        landmarks = np.stack(self.landmarks) if self.landmarks else None
        targets = Targets(_corners(self.boxes), landmarks=landmarks, ignore=_corners(self.ignore))
        return FaceSample(path, targets, self.name, self.line, tuple(self.face_lines))


def read_retinaface(
    source: str | Path,
    *,
    strict: bool = True,
    backgrounds: bool = True,
    require_pictures: bool = True,
    min_score: float | None = None,
) -> FaceSet:
    """Read a RetinaFace label file, or the one in a folder.

    ``backgrounds`` adds the pictures of a ``background/`` folder beside the label file as samples without faces.
    Faces scored under ``min_score`` become ignore regions: for labels that a machine drew. ``require_pictures`` makes
    a picture that is not there a problem of its line. Lines that cannot be used are left out and listed in
    ``problems``; ``strict`` instead raises ``DataError`` with the first, by file and line, and how many more there are.
    """
    file = find_label_file(Path(source))
    problems: list[Problem] = []
    pictures = _read_labels(file, min_score, problems)
    if not pictures:
        problems.append(Problem(file, 0, "names no picture; expected lines '# path', each followed by its faces"))
    ignore_file = file.with_name("ignore.txt")
    if is_file(ignore_file):
        _read_ignore(ignore_file, pictures, file.name, problems)
    samples = _locate(file, pictures, require_pictures, problems)
    if backgrounds and (file.parent / "background").is_dir():
        nothing = Targets(np.zeros((0, 4)))
        samples += [FaceSample(path, nothing, path.name) for path in walk_pictures(file.parent / "background")]
    if strict:
        raise_worst(problems)
    return FaceSet(file, tuple(samples), tuple(problems))


def find_label_file(source: Path) -> Path:
    """``source`` itself if it is a file; in a folder ``label.txt``, or else its only ``label*.txt``."""
    if is_file(source):
        return source
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder")
    candidates = [source / "label.txt"] if is_file(source / "label.txt") else sorted(source.glob("label*.txt"))
    if len(candidates) != 1:
        found = f"found {', '.join(c.name for c in candidates[:4])}; name one" if candidates else "found none"
        raise DataError(f"{source}: expected a RetinaFace label.txt, {found}")
    return candidates[0]


def _corners(boxes: list[list[float]]) -> np.ndarray:
    array = np.array(boxes, np.float64).reshape(-1, 4)
    array[:, 2:] += array[:, :2]
    return array


def _landmarks(values: list[float]) -> np.ndarray:
    """Fifteen numbers ``x y flag`` -> ``(5, 2)``, NaN where the flag is negative or both coordinates are -1."""
    points = np.array(values, np.float64).reshape(5, 3)
    unknown = (points[:, 2] < 0) | (points[:, :2] == -1).all(axis=1)
    return np.where(unknown[:, None], np.nan, points[:, :2])


def _numbered_boxes(
    file: Path, counts: tuple[int, ...], pictures: dict[str, PictureFaces], problems: list[Problem], *, add: bool
):
    """Yield ``(picture, line, values)`` for each usable line of boxes; ``add`` lets the file name new pictures."""
    picture, skipping = None, False
    for line, text in text_lines(file, problems):
        if text.startswith("#"):
            name = text[1:].strip()
            wrong = name_problem(name)
            known = pictures.get(name)
            if wrong:
                problems.append(Problem(file, line, f"{wrong}; its boxes are left out"))
            elif known and add:
                problems.append(
                    Problem(file, line, f"{quoted(name)} again, after line {known.line}; joined", "suspect")
                )
            elif add:
                known = pictures[name] = PictureFaces(name, line)
            elif not known:
                problems.append(Problem(file, line, f"{quoted(name)} is not in the label file; left out", "suspect"))
            picture, skipping = known, known is None
            continue
        if picture is None:
            if not skipping:
                problems.append(Problem(file, line, "a box before the first picture; expected '# path'"))
            continue
        values = numbers(text)
        if isinstance(values, str):
            problems.append(Problem(file, line, values))
        elif len(values) not in counts:
            wanted = ", ".join(str(c) for c in counts[:-1]) + f" or {counts[-1]}"
            problems.append(Problem(file, line, f"expected {wanted} numbers, got {len(values)}"))
        elif wrong_box := box_problem(*values[:4]):
            problems.append(Problem(file, line, *wrong_box))
        else:
            yield picture, line, values


def _read_labels(file: Path, min_score: float | None, problems: list[Problem]) -> dict[str, PictureFaces]:
    pictures: dict[str, PictureFaces] = {}
    for picture, line, values in _numbered_boxes(file, (4, 5, 19, 20), pictures, problems, add=True):
        if min_score is not None and len(values) in (5, 20) and values[-1] < min_score:
            picture.ignore.append(values[:4])
            continue
        landmarks = _landmarks(values[4:19]) if len(values) >= 19 else np.full((5, 2), np.nan)
        picture.add_face(line, values[:4], landmarks)
    return pictures


def _read_ignore(file: Path, pictures: dict[str, PictureFaces], label_name: str, problems: list[Problem]) -> None:
    for picture, _, values in _numbered_boxes(file, (4, 5), pictures, problems, add=False):
        picture.ignore.append(values[:4])


def _locate(file: Path, pictures: dict[str, PictureFaces], require: bool, problems: list[Problem]) -> list[FaceSample]:
    folder = file.parent / "images"
    roots = [folder, file.parent] if folder.is_dir() else [file.parent]
    samples = []
    for picture in pictures.values():
        found = next((root / picture.name for root in roots if is_file(root / picture.name)), None)
        if found is None and require:
            message = f"{quoted(str(roots[0] / picture.name), 200)} is not there"
            problems.append(Problem(file, picture.line, message, "missing"))
        samples.append(picture.sample(found or roots[0] / picture.name))
    return samples
