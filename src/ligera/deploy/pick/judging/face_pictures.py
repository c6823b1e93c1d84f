"""Labelled face pictures and all of their files in one digest: what both judges of face detectors stand on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.check import detect_format
from ligera.data.faces import FaceSample, read_retinaface
from ligera.data.headers import read_header
from ligera.data.pictures import read_picture
from ligera.data.widerface import read_widerface
from ligera.errors import DataError, PictureError, UsageError
from ligera.records import Detections, Picture

__all__ = ["LOWEST_SCORE", "FacePictures", "detections", "read_face_pictures", "say_of"]

# As ``eval`` has it: average precision needs the whole curve.
LOWEST_SCORE = 0.02
COVERED_SHARE = 0.95
MOST_NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class FacePictures:
    """The samples, their files' ``digest``, and long sides and areas in px."""

    layout: str
    file: Path
    samples: tuple[FaceSample, ...]
    digest: str
    longest_px: int
    areas_px: np.ndarray

    def picture(self, row: int) -> Picture:
        return read_picture(self.samples[row].path)


def read_face_pictures(data: Path) -> FacePictures:
    """All pictures of a set; ``DataError`` where there is no label, no face or a picture that cannot be read."""
    layout = detect_format(data)
    if layout not in ("retinaface", "widerface"):
        raise UsageError(
            f"{data}: holds {layout} data, without labelled faces; RetinaFace or WIDER FACE labels are needed"
        )
    faces = read_widerface(data) if layout == "widerface" else read_retinaface(data)
    if not faces.face_count:
        raise DataError(f"{faces.file}: holds no labelled face; a detector's accuracy cannot be told from it")
    digest, sides = hashlib.sha256(), []
    broken = []
    for sample in faces.samples:
        try:
            content = sample.path.read_bytes()
            header = read_header(content)
        except (OSError, ValueError) as error:
            broken.append(PictureError(f"{sample.path}: {getattr(error, 'strerror', None) or error}"))
            continue
        sides.append((header.width, header.height))
        targets = (sample.targets.boxes, sample.targets.ignore)
        for part in (sample.name.encode(errors="surrogateescape"), content, *(boxes.tobytes() for boxes in targets)):
            digest.update(len(part).to_bytes(8, "big") + hashlib.sha256(part).digest())
    if broken:
        more = f"; and {len(broken) - MOST_NAMED:,} more" if len(broken) > MOST_NAMED else ""
        named = "; ".join(str(error) for error in broken[:MOST_NAMED])
        raise DataError(f"{len(broken):,} of {len(faces):,} pictures cannot be read: {named}{more}")
    size = np.array(sides)
    longest = int(np.quantile(size.max(axis=1), COVERED_SHARE, method="higher"))
    return FacePictures(layout, faces.file, faces.samples, digest.hexdigest(), longest, size.prod(axis=1))


def say_of(detector: Any, pictures: FacePictures, rows: Sequence[int], max_side: int | None) -> list[Any]:
    """What ``detector`` finds in the pictures at ``rows``: boxes and scores, ready for JSON."""
    said = []
    for row in rows:
        found = detector.detect(pictures.picture(row), score=LOWEST_SCORE, max_side=max_side)
        said.append([found.boxes.tolist(), found.scores.tolist()])
    return said


def detections(said: Any) -> Detections:
    """What :func:`say_of` said, as it was."""
    boxes, scores = said
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32))
