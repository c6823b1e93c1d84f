"""One picture -> its variations with labelled faces: what a worker of ``ligera augment`` does.

In: a picture file. A detector finds the faces; each variation then moves them along. Out: JPEG files' bytes and the
lines that label them in RetinaFace's layout. A picture, its name and the seed fix every byte, so it does not matter who
does the work or when. The network runs on one thread, as more of them might sum up in another order.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ligera.data.pictures import read_picture
from ligera.data.variation import Variation, vary
from ligera.deploy.detector import Detector
from ligera.errors import PictureError, UsageError
from ligera.records import Detections, Picture, Targets

__all__ = ["AugmentSettings", "Job", "Variant", "VariedPicture", "Varier"]

MOST_PER_PICTURE = 10_000
SMALLEST_IGNORED_PX = 1.0
UNKNOWN_POINT = "-1 -1 -1"


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """What is made of each picture.

    ``score`` is the least a detection needs to count as a face; from half of that on it becomes an ignore region, as it
    may be one. ``backgrounds`` keeps pictures in which no face was found: off, since the detector may have missed one.
    ``max_side`` bounds the side at which is searched, as in ``detect``.
    """

    model: str = "face"
    per_picture: int = 30
    seed: int = 0
    score: float = 0.5
    backgrounds: bool = False
    max_side: int | None = None
    quality: int = 92
    variation: Variation = field(default_factory=Variation)

    def __post_init__(self) -> None:
        if not 1 <= self.per_picture <= MOST_PER_PICTURE:
            raise UsageError(f"per picture: expected 1 to {MOST_PER_PICTURE:,} variations, got {self.per_picture}")
        if not 0 < self.score <= 1:
            raise UsageError(f"score: expected above 0, up to 1, got {self.score:g}")
        if self.seed < 0:
            raise UsageError(f"seed: expected 0 or more, got {self.seed}")


@dataclass(frozen=True, slots=True)
class Job:
    """One picture: its file, its name within the source, and how its variations are called, without number."""

    path: str
    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Variant:
    """One variation: ``name`` under ``images/``, the file's bytes, and one line for each face and ignore region."""

    name: str
    content: bytes
    faces: tuple[str, ...]
    ignore: tuple[str, ...]


@dataclass(slots=True)
class VariedPicture:
    """How many faces a picture shows, and its variations, each made when it is asked for.

    ``stage_s`` adds up the seconds of ``read``, ``detect`` and ``vary``.
    """

    found: int
    variants: Iterator[Variant]
    stage_s: dict[str, float]


class Varier:
    """A detector and what to do with what it finds; one for each worker."""

    def __init__(self, settings: AugmentSettings) -> None:
        self.settings = settings
        self._detector = Detector.load(settings.model, threads=1)

    def open(self, job: Job) -> VariedPicture:
        """Read the picture and find its faces. Raises ``PictureError`` for a file that is none."""
        started = time.perf_counter()
        picture = read_picture(job.path)
        read = time.perf_counter()
        settings = self.settings
        found = self._detector.detect(picture, score=settings.score / 2, max_side=settings.max_side)
        stage_s = {"read": read - started, "detect": time.perf_counter() - read, "vary": 0.0}
        targets = _targets(found, settings.score)
        variants = self._variants(job, picture, found, targets, stage_s)
        return VariedPicture(len(targets), variants if len(targets) or settings.backgrounds else iter(()), stage_s)

    def _variants(
        self, job: Job, picture: Picture, found: Detections, targets: Targets, stage_s: dict[str, float]
    ) -> Iterator[Variant]:
        settings = self.settings
        digits = len(str(settings.per_picture - 1))
        own = int.from_bytes(hashlib.sha256(job.name.encode("utf-8", "surrogateescape")).digest()[:16])
        for number in range(settings.per_picture):
            started = time.perf_counter()
            generator = np.random.default_rng([settings.seed, own, number])
            pixels, moved = vary(picture, targets, settings.variation, generator)
            arrived, content = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, settings.quality])
            if not arrived:
                raise PictureError(f"{job.path}: a variation cannot be written as JPEG")
            variant = Variant(
                f"{job.target}-{number:0{digits}d}.jpg",
                content.tobytes(),
                tuple(_face_lines(moved, found.scores)),
                tuple(_ignore_lines(moved)),
            )
            stage_s["vary"] += time.perf_counter() - started
            yield variant

    def close(self) -> None:
        self._detector.close()


def _targets(found: Detections, score: float) -> Targets:
    """What is certain as faces, what is doubtful as ignore regions; ``labels`` are rows of ``found``."""
    sure = found.scores >= score
    landmarks = None if found.landmarks is None else found.landmarks[sure]
    return Targets(found.boxes[sure], np.flatnonzero(sure), landmarks, found.boxes[~sure])


def _face_lines(targets: Targets, scores: np.ndarray) -> Iterator[str]:
    """``x y w h``, five times ``x y flag``, and the detector's score."""
    for box, row, points in zip(targets.boxes, targets.labels, targets.landmarks, strict=True):
        landmarks = " ".join(f"{x:.2f} {y:.2f} 0" if np.isfinite(x + y) else UNKNOWN_POINT for x, y in points)
        yield f"{_sides(box)} {landmarks} {scores[row]:.3f}"


def _ignore_lines(targets: Targets) -> Iterator[str]:
    for box in targets.ignore:
        if (box[2:] - box[:2]).min() >= SMALLEST_IGNORED_PX:
            yield _sides(box)


def _sides(box: np.ndarray) -> str:
    return f"{box[0]:.2f} {box[1]:.2f} {box[2] - box[0]:.2f} {box[3] - box[1]:.2f}"


def model_digest(model: str) -> str | None:
    """SHA-256 of the model's file, ``None`` where it has none that can be seen."""
    kind, colon, rest = model.partition(":")
    candidates = [Path(model)]
    if colon and kind.isalnum() and len(kind) > 1:
        candidates.append(Path(rest))
    else:
        from ligera.deploy.builtin import builtin_names, builtin_path

        if model in builtin_names():
            candidates.append(builtin_path(model))
    for path in candidates:
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
    return None
