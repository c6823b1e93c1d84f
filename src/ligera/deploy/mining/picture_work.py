"""What a worker does with one picture: finds its candidates and writes them to a file of their own.

In: a :class:`Job`. Out: ``pictures/xx/....npz`` with boxes, scores, kinds, IoU, faces and the picture's path, and the
picture's row of the progress record. A picture, its name, its labels, the model and the settings fix every byte.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.arrays import read_arrays, save_arrays
from ligera.data.crops import KINDS
from ligera.data.pictures import read_picture
from ligera.deploy.mining.candidates import Candidates, find_candidates
from ligera.deploy.mining.keys import name_number
from ligera.deploy.mining.networks import open_cascade
from ligera.deploy.mining.settings import MineSettings
from ligera.deploy.mining.statistics import picture_figures
from ligera.errors import ModelError
from ligera.files import write_unforced
from ligera.records import Targets

__all__ = ["PICTURES", "STAGES", "UNFINISHED", "Job", "PictureWork", "read_candidates", "still_there"]

PICTURES, UNFINISHED = "pictures", ".unfinished"
STAGES = ("read", "propose", "write")
ARRAYS = tuple(field.name for field in fields(Candidates))


@dataclass(frozen=True, slots=True)
class Job:
    """One picture: its file, its path from the label file's folder, and what was drawn in it."""

    path: str
    name: str
    targets: Targets

    @property
    def file(self) -> str:
        """Where its candidates go, within the result. Named by digest, as any path is a name there."""
        digest = f"{name_number(self.name):032x}"
        return f"{PICTURES}/{digest[:2]}/{digest[2:]}.npz"


class PictureWork:
    """The function of one job: writes its candidates; returns its row and the seconds that it took."""

    def __init__(self, settings: MineSettings, model: str | None, out: Path) -> None:
        self._settings = settings
        self._opened = None if model is None else open_cascade(model, settings)
        self._out = out

    def __call__(self, job: Job) -> tuple[dict[str, Any], dict[str, float]]:
        started = time.perf_counter()
        size_bytes, mtime_ns = version_of(job.path)
        picture = read_picture(job.path)
        read = time.perf_counter()
        try:
            found, kept = find_candidates(picture.pixels, job.targets, job.name, self._settings, self._opened)
        except ModelError as error:
            raise ModelError(f"{self._settings.model}: {error}") from None
        proposed = time.perf_counter()
        content = _content(kept, job.name)
        write_unforced(self._out / job.file, content, self._out / UNFINISHED)
        row = {
            "path": job.name,
            "size_bytes": size_bytes,
            "mtime_ns": mtime_ns,
            "width": picture.width,
            "height": picture.height,
            "kept": np.bincount(kept.kinds, minlength=len(KINDS)).tolist(),
            "file_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "found": picture_figures(found),
        }
        seconds = (read - started, proposed - read, time.perf_counter() - proposed)
        return row, dict(zip(STAGES, seconds, strict=True))


def read_candidates(path: Path) -> Candidates:
    """What a worker has written; ``DataError`` for a damaged file."""
    return Candidates(**read_arrays(path, ARRAYS))


def still_there(row: dict[str, Any], job: Job, out: Path) -> bool:
    """Whether the row is of the picture as it is now, and its candidates are there, whole."""
    if (row["size_bytes"], row["mtime_ns"]) != version_of(job.path):
        return False
    return version_of(str(out / job.file))[0] == row["file_bytes"]


def version_of(path: str) -> tuple[int, int]:
    """Size and time of the last change, -1 where nobody says: reading it will have an error for that."""
    try:
        status = os.stat(path)  # noqa: PTH116 - also for names that no Path takes
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _content(kept: Candidates, name: str) -> bytes:
    arrays = {array: getattr(kept, array) for array in ARRAYS}
    arrays["path"] = np.frombuffer(name.encode("utf-8", "surrogateescape"), np.uint8)
    buffer = io.BytesIO()
    save_arrays(buffer, arrays)
    return buffer.getvalue()
