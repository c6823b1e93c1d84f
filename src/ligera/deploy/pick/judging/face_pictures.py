"""Labelled face pictures, one digest of all their files, and detections as text: what judges of faces stand on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
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

__all__ = [
    "LOWEST_SCORE",
    "FacePictures",
    "found_in",
    "packed",
    "packed_detections",
    "read_face_pictures",
    "unpacked",
    "unpacked_detections",
]

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


def found_in(detector: Any, pictures: FacePictures, rows: Sequence[int], max_side: int | None) -> Iterator[Detections]:
    """What ``detector`` finds in each of the pictures at ``rows``."""
    for row in rows:
        yield detector.detect(pictures.picture(row), score=LOWEST_SCORE, max_side=max_side)


def packed(values: np.ndarray, kind: str) -> str:
    """An array as text of its bytes: there are hundreds of thousands of numbers, which as JSON take seconds to read."""
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def unpacked(text: str, kind: str) -> np.ndarray:
    """What :func:`packed` packed, flat."""
    return np.frombuffer(base64.b64decode(text, validate=True), np.dtype(kind).newbyteorder("<"))


def packed_detections(found: Detections) -> tuple[str, str]:
    """Boxes and scores of ``found`` as text."""
    return packed(found.boxes, "f4"), packed(found.scores, "f4")


def unpacked_detections(say: Sequence[str]) -> Detections:
    """What :func:`packed_detections` packed, as it was."""
    return Detections(unpacked(say[0], "f4").reshape(-1, 4), unpacked(say[1], "f4"))
