"""The measured process of ``compare-engines``: one engine does one workload, alone, so that its memory is its own.

Run as ``python -m ligera.deploy.comparing.worker JSON`` with the fields of :class:`Job`. Answers on standard output
with one JSON line: what it took and a digest of everything that came out, or ``{"error": ..., "exit_code": ...}``.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["WORKLOADS", "Job", "do"]


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with the first ``limit`` pictures of ``source`` (all without one), and how."""

    source: str
    workload: str
    engine: str
    workers: int | None = None
    limit: int | None = None
    model: str = "face"
    per_picture: int = 5

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def _decode(_job: Job) -> Any:
    return _decoded


def _decoded(path: Path) -> str:
    """Digest of the decoded pixels: only that travels, as a picture is at home where it is worked on."""
    from ligera.data.pictures import read_picture

    return hashlib.sha256(read_picture(path).pixels.tobytes()).hexdigest()


def _detect(job: Job) -> Any:
    from ligera.data.engines import PerWorker

    return PerWorker(partial(_detecting, job.model))


def _detecting(model: str) -> Callable[[Path], str]:
    from ligera.deploy.detector import Detector

    detector = Detector.load(model, threads=1)
    return lambda path: hashlib.sha256(json.dumps(detector.detect(path).rows()).encode()).hexdigest()


def _augment(job: Job) -> Any:
    from ligera.data.engines import PerWorker

    return PerWorker(partial(_augmenting, job.model, job.per_picture))


def _augmenting(model: str, per_picture: int) -> Callable[[Path], str]:
    from ligera.deploy.augmenting.varying import AugmentSettings, Job, Varier

    varier = Varier(AugmentSettings(model, per_picture))

    def work(path: Path) -> str:
        digest = hashlib.sha256()
        for variant in varier.open(Job(str(path), path.name, path.stem)).variants:
            digest.update(variant.content)
            digest.update("\n".join([*variant.faces, *variant.ignore]).encode())
        return digest.hexdigest()

    return work


WORKLOADS: dict[str, Callable[[Job], Any]] = {"decode": _decode, "augment": _augment, "detect": _detect}


def do(job: Job) -> dict[str, Any]:
    """Do the job here.

    Tells ``elapsed_s`` (with starting and ending the engine's workers), ``pictures``, ``failed``, the ``engine`` that
    did it, its ``workers`` where they are known, and the ``digest`` of all results in their order.
    """
    import cv2

    from ligera.data.engines import LOCAL_ENGINES, default_workers, run
    from ligera.data.pictures import find_pictures

    # As in the workers of every engine: pictures are worked on side by side, not each on all cores.
    cv2.setNumThreads(1)
    paths: Iterable[Path] = list(islice(find_pictures(job.source), job.limit))
    work = WORKLOADS[job.workload](job)
    digest = hashlib.sha256()
    pictures = failed = 0
    started = time.perf_counter()
    with run(job.engine, work, paths, workers=job.workers) as outcomes:
        for outcome in outcomes:
            pictures += 1
            failed += outcome.error is not None
            digest.update(f"{outcome.item}\0{outcome.error or outcome.value}\n".encode("utf-8", "surrogateescape"))
    elapsed_s = time.perf_counter() - started
    return {
        "elapsed_s": elapsed_s,
        "pictures": pictures,
        "failed": failed,
        "engine": outcomes.engine,
        "workers": job.workers or (default_workers(job.engine, work) if job.engine in LOCAL_ENGINES else None),
        "digest": digest.hexdigest(),
    }


def _end_with_parent() -> None:
    """Nobody wants the answer once the other end of standard input is closed."""
    sys.stdin.read()
    os._exit(1)


def _main() -> None:
    from ligera.errors import LigeraError

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer = do(Job(**json.loads(sys.argv[1])))
    except LigeraError as error:
        answer = {"error": str(error), "exit_code": error.exit_code}
    # the protocol between this process and compare-engines, not something a user reads
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main()
