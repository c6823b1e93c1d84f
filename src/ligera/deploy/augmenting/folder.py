"""A folder of pictures -> a folder of variations with labels that ``ligera data check`` and training accept.

In: pictures, settings, and the engine that spreads the work (``data/engines``). Out: ``images/``, ``label.txt`` and,
where there are regions to ignore, ``ignore.txt`` in RetinaFace's layout; the same bytes whatever the engine and its
workers (SPEC section A, augmentation of a folder). ``progress.jsonl`` records each picture once all its files are
there, so that a killed run goes on where it was; the label files appear last, each whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ligera.data.engines import Outcome, PerWorker, WorkerDied, run
from ligera.data.pictures import find_pictures
from ligera.data.progress import Progress, read_header
from ligera.deploy.augmenting.varying import AugmentSettings, Job, Varier, model_digest
from ligera.errors import LigeraError, ModelError, PictureError, UsageError
from ligera.files import write_unforced, write_whole

__all__ = ["Augmented", "Augmenting", "header_of", "matching_folder"]

PROGRESS = "progress.jsonl"
UNFINISHED = ".unfinished"
LONGEST_NAME_BYTES = 160
NOT_PLAIN = re.compile(r"[^\w.,()+=@ -]")


@dataclass(frozen=True, slots=True)
class Augmented:
    """What became of one picture: how many variations and labelled faces, or ``error``.

    ``found`` counts the faces in the picture itself; ``resumed`` says that an earlier run did it. ``stage_s`` holds the
    seconds of ``read``, ``detect``, ``vary`` and ``write``.
    """

    path: str
    found: int = 0
    pictures: int = 0
    faces: int = 0
    stage_s: dict[str, float] | None = None
    resumed: bool = False
    error: Exception | None = None


class Augmenting:
    """One run: ``results`` does the work; afterwards ``out`` holds the set. ``engine`` names the engine at work."""

    def __init__(self, source: str | Path, out: Path, settings: AugmentSettings) -> None:
        self.out = out
        self.settings = settings
        self.engine = ""
        _keep_apart(Path(source), out)
        self._jobs = _jobs(source)
        self._header = header_of(source, settings)
        self._done: set[str] = set()

    def __len__(self) -> int:
        return len(self._jobs)

    def results(self, engine: str = "auto", workers: int | None = None) -> Generator[Augmented, None, None]:
        """One result for each picture: first those that an earlier run has done, then the others, in order.

        Raises ``UsageError`` where ``out`` holds something else, ``ModelError`` for a model that does not load, and
        what the disk raises when it is full; what is done stays done.
        """
        with Progress(self.out / PROGRESS, self._header, "path") as progress:
            todo = []
            for job in self._jobs:
                row = progress.get(job.name)
                if row is not None and _still_there(row, job, self.out):
                    self._done.add(job.name)
                    yield _told(job, row, resumed=True)
                else:
                    todo.append(job)
            # Not loaded where nothing is left to do.
            if todo:
                yield from self._work(todo, progress, engine, workers)
            self._write_labels(progress)
        # Left by an earlier run that was killed.
        shutil.rmtree(self.out / UNFINISHED, ignore_errors=True)

    def _work(
        self, todo: list[Job], progress: Progress, engine: str, workers: int | None
    ) -> Generator[Augmented, None, None]:
        work = PerWorker(partial(_worker, self.settings, self.out))
        with run(engine, work, todo, workers=workers) as outcomes:
            for outcome in outcomes:
                self.engine = outcomes.engine
                result = _recorded(outcome, progress)
                if result.error is None:
                    self._done.add(outcome.item.name)
                yield result

    def _write_labels(self, progress: Progress) -> None:
        for name, part in (("ignore.txt", "ignore"), ("label.txt", "labels")):
            lines = _lines((progress.get(job.name) for job in self._jobs if job.name in self._done), part)
            first = next(lines, None)
            if first is None:
                (self.out / name).unlink(missing_ok=True)
            else:
                write_whole(self.out / name, partial(_fill, first, lines))


def header_of(source: str | Path, settings: AugmentSettings) -> dict[str, Any]:
    """All that fixes the result, as the progress record opens with it."""
    return {"augment": 1, "source": str(Path(source).resolve()), "model_sha256": model_digest(settings.model)} | asdict(
        settings
    )


def matching_folder(parent: Path, header: dict[str, Any]) -> Path | None:
    """The folder in ``parent`` that a run with this header began, if there is one."""
    wanted = json.loads(json.dumps(header))
    folders = sorted(path.parent for path in parent.glob(f"*/{PROGRESS}"))
    return next((folder for folder in folders if read_header(folder / PROGRESS) == wanted), None)


def _keep_apart(source: Path, out: Path) -> None:
    """Refuse results among the sources: the next run would vary the variations."""
    folder, target = source.resolve(), out.resolve()
    if source.is_dir() and (target.is_relative_to(folder) or folder.is_relative_to(target)):
        raise UsageError(f"--out {out}: lies within {source}, or around it; choose a folder elsewhere")


def _jobs(source: str | Path) -> list[Job]:
    paths = list(find_pictures(source))
    root = source if Path(source).is_dir() else os.path.commonpath([path.parent for path in paths])
    taken: set[str] = set()
    jobs = []
    for path in paths:
        name = path.relative_to(root)
        plain = "/".join(_plain(part) for part in name.with_suffix("").parts)
        target, number = plain, 1
        # Some file systems take A and a for the same name.
        while target.casefold() in taken:
            number += 1
            target = f"{plain}-{number}"
        taken.add(target.casefold())
        jobs.append(Job(str(path), name.as_posix(), target))
    return jobs


def _plain(part: str) -> str:
    """A part of a path that a label file can hold and a file system too, with a number behind it."""
    plain = NOT_PLAIN.sub("_", part).strip()
    if len(plain.encode()) > LONGEST_NAME_BYTES:
        digest = hashlib.sha256(part.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        plain = plain.encode()[:LONGEST_NAME_BYTES].decode(errors="ignore") + digest
    return plain if plain.strip(".") else "_"


def _worker(settings: AugmentSettings, out: Path) -> _Work:
    return _Work(Varier(settings), out)


class _Work:
    """The function of one job: makes its files and returns its row of the progress record and the seconds it took."""

    def __init__(self, varier: Varier, out: Path) -> None:
        self._varier = varier
        self._out = out

    def __call__(self, job: Job) -> tuple[dict[str, Any], dict[str, float]]:
        size_bytes, mtime_ns = _version(job.path)
        varied = self._varier.open(job)
        pictures, labels, ignore = [], [], []
        write_s = 0.0
        for variant in varied.variants:
            started = time.perf_counter()
            write_unforced(self._out / "images" / variant.name, variant.content, self._out / UNFINISHED)
            write_s += time.perf_counter() - started
            pictures.append([variant.name, len(variant.content)])
            labels.append(variant.faces)
            ignore.append(variant.ignore)
        row = {
            "path": job.name,
            "size_bytes": size_bytes,
            "mtime_ns": mtime_ns,
            "found": varied.found,
            "pictures": pictures,
            "labels": labels,
            "ignore": ignore,
        }
        return row, varied.stage_s | {"write": write_s}


def _version(path: str) -> tuple[int, int]:
    """Size and time of the last change, 0 where nobody says: reading it will have an error for that."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _still_there(row: dict[str, Any], job: Job, out: Path) -> bool:
    """Whether the row is of the picture as it is now, under the name it has now, and all its files are there, whole."""
    if (row["size_bytes"], row["mtime_ns"]) != _version(job.path):
        return False
    return all(
        name.rpartition("-")[0] == job.target and _version(str(out / "images" / name))[0] == size_bytes
        for name, size_bytes in row["pictures"]
    )


def _recorded(outcome: Outcome, progress: Progress) -> Augmented:
    """The result of one picture; its row is on the disk when this returns. Raises what is no fault of the picture."""
    job, error = outcome.item, outcome.error
    if error is None:
        row, stage_s = outcome.unwrap()
        progress.add(row)
        return _told(job, row, stage_s=stage_s)
    if isinstance(error, PictureError):
        return Augmented(job.path, error=error)
    if isinstance(error, ModelError | WorkerDied | MemoryError):
        return Augmented(job.path, error=LigeraError(f"{job.path}: {str(error) or 'out of memory'}"))
    raise error


def _told(
    job: Job, row: dict[str, Any], *, stage_s: dict[str, float] | None = None, resumed: bool = False
) -> Augmented:
    faces = sum(len(lines) for lines in row["labels"])
    return Augmented(job.path, row["found"], len(row["pictures"]), faces, stage_s, resumed)


def _lines(rows: Iterable[dict[str, Any] | None], part: str) -> Iterator[str]:
    for row in filter(None, rows):
        for (name, _), lines in zip(row["pictures"], row[part], strict=True):
            if lines or part == "labels":
                yield "\n".join([f"# {name}", *lines]) + "\n"


def _fill(first: str, rest: Iterator[str], temporary: Path) -> None:
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(first)
        file.writelines(rest)
