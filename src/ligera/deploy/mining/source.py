"""Annotated pictures -> the jobs of a mining, and a digest of what was annotated.

In: a folder or label file, RetinaFace's layout or WIDER FACE's. Out: one :class:`Job` for each picture.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ligera.data.check import detect_format
from ligera.data.faces import read_retinaface
from ligera.data.widerface import read_widerface
from ligera.deploy.mining.picture_work import Job
from ligera.errors import DataError

__all__ = ["labels_digest", "read_jobs"]

LAYOUTS = {"retinaface": read_retinaface, "widerface": read_widerface}


def read_jobs(source: str | Path) -> list[Job]:
    """The pictures at ``source`` in the order of their labels, each once.

    Raises ``DataError`` for data that holds no labelled faces, and for the first damaged line.
    """
    layout = detect_format(Path(source))
    if layout not in LAYOUTS:
        raise DataError(f"{source}: holds {layout} data; mining needs labelled faces (a label.txt, or WIDER FACE)")
    faces = LAYOUTS[layout](source)
    jobs: dict[str, Job] = {}
    for sample in faces.samples:
        # A picture of background/ that has labels of its own, too, has faces.
        name = Path(os.path.relpath(sample.path, faces.file.parent)).as_posix()
        jobs.setdefault(name, Job(str(sample.path), name, sample.targets))
    if not faces.face_count:
        raise DataError(f"{faces.file}: labels no face in {len(jobs):,} pictures; there is nothing to mine")
    return list(jobs.values())


def labels_digest(jobs: Sequence[Job]) -> str:
    """SHA-256 of all pictures' names and targets."""
    digest = hashlib.sha256()
    for job in jobs:
        name = job.name.encode("utf-8", "surrogateescape")
        digest.update(len(name).to_bytes(4) + name)
        for values in (job.targets.boxes, job.targets.landmarks, job.targets.ignore):
            digest.update(len(values).to_bytes(4) + np.ascontiguousarray(values, "<f4").tobytes())
    return digest.hexdigest()
