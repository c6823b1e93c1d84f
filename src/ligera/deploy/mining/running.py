"""``ligera mine`` as a library: annotated pictures in, shards of balanced crops and their card out (SPEC section A).

    with Mining(data, out, settings) as mining:
        for picture in mining.propose(engine, workers): ...
        for _ in mining.cut(engine, workers): ...
        card = mining.finish()

``propose`` finds candidates, one file and one line of ``progress.jsonl`` for each picture; ``cut`` chooses and cuts;
``finish`` writes ``iou.png`` and, last, ``mined.json``. Killed at any moment and begun again, by any engine and any
number of workers, the result is the same to the byte: pictures are worked on apart, lines are written in the order of
the labels, and who is chosen hangs on names and the seed alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from ligera.data.crops import CARD, KINDS, PROGRESS
from ligera.data.engines import Outcome, PerWorker, WorkerDied, default_workers, run
from ligera.data.progress import Progress
from ligera.deploy.mining.choosing import Plan, plan_crops
from ligera.deploy.mining.cutting import CutWork
from ligera.deploy.mining.folder import clean, keep_apart, owned
from ligera.deploy.mining.histogram import draw_histogram
from ligera.deploy.mining.networks import WEIGHTS_INPUT, digest_of, open_cascade, weights_folder, write_bundle_of
from ligera.deploy.mining.picture_work import UNFINISHED, Job, PictureWork, still_there
from ligera.deploy.mining.record import put_in_order
from ligera.deploy.mining.settings import MineSettings
from ligera.deploy.mining.shards import ShardWriter, remove_shards
from ligera.deploy.mining.source import labels_digest, read_jobs
from ligera.deploy.mining.statistics import BINS, summed
from ligera.errors import DataError, LigeraError, PictureError
from ligera.files import write_bytes
from ligera.models.cascade import CascadeRule
from ligera.records import Preprocess

__all__ = ["HISTOGRAM", "PLAN", "Mined", "Mining", "mine"]

PLAN, HISTOGRAM = "plan.json", "iou.png"
# A picture's crops take up to a few MB, so fewer are under way than an engine would hold.
CUTS_PER_WORKER = 8


@dataclass(frozen=True, slots=True)
class Mined:
    """What became of one picture: how many candidates, or ``error``. ``resumed``: an earlier run did it.

    ``stage_s`` holds the seconds of ``read``, ``propose`` and ``write``.
    """

    path: str
    found: int = 0
    stage_s: dict[str, float] | None = None
    resumed: bool = False
    error: Exception | None = None


class Mining:
    """One run into the folder ``out``. ``engine`` names the engine at work.

    Raises ``DataError`` for data without labelled faces, ``ModelError`` for a model that cannot propose, and on
    entering ``UsageError`` where ``out`` was begun with something else or another run is at work.
    """

    def __init__(self, source: str | Path, out: Path, settings: MineSettings) -> None:
        keep_apart(Path(source), out)
        self.out = out
        self.engine = ""
        self.failed: dict[str, Exception] = {}
        self._source = str(Path(source).resolve())
        self._jobs = read_jobs(source)
        self._weights = None if settings.model is None else weights_folder(settings.model)
        self._input: Preprocess | None = None
        self.settings = settings
        self._entered = ExitStack()
        self._progress: Progress | None = None
        self._plan: Plan | None = None
        self._resolve()

    def __len__(self) -> int:
        return len(self._jobs)

    def __enter__(self) -> Mining:
        with ExitStack() as stack:
            stack.enter_context(owned(self.out))
            self._progress = stack.enter_context(Progress(self.out / PROGRESS, self._header(), "path"))
            clean(self.out)
            self._entered = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)

    def propose(self, engine: str = "auto", workers: int | None = None) -> Generator[Mined, None, None]:
        """Candidates of each picture: first those that an earlier run has found, then the others, in order.

        Raises ``ModelError`` where the networks answer nonsense and what the disk raises when it is full; what is done
        stays done. A picture that cannot be read is left out.
        """
        progress = self._opened()
        todo = []
        for job in self._jobs:
            row = progress.get(job.name)
            if row is not None and still_there(row, job, self.out):
                yield _told(job, row, resumed=True)
            else:
                todo.append(job)
        # No network is loaded where nothing is left to do.
        if not todo:
            return
        work = PerWorker(partial(PictureWork, self.settings, self._bundle(), self.out))
        with run(engine, work, todo, workers=workers) as outcomes:
            for outcome in outcomes:
                self.engine = outcomes.engine
                result = _recorded(outcome, progress)
                if result.error is not None:
                    self.failed[outcome.item.name] = result.error
                yield result

    def cut(self, engine: str = "auto", workers: int | None = None) -> Generator[str, None, None]:
        """The chosen crops into shards; names of the pictures that were cut. After ``propose`` has come to its end.

        Raises ``DataError`` where there are no positives, or a picture is not what it was.
        """
        plan = self._planned()
        beside = engine != "sequential"
        with ShardWriter(self.out, plan.crops, self.settings.shard_crops, self.settings.stage, beside=beside) as writer:
            yield from self._cut(plan, writer, engine, workers)

    def _cut(self, plan: Plan, writer: ShardWriter, engine: str, workers: int | None) -> Generator[str, None, None]:
        starts = [0, *plan.ends.tolist()]
        done = [job for job in self._jobs if job.name not in self.failed]
        places = [at for at in range(len(plan.order)) if writer.wants(starts[at], starts[at + 1])]
        todo = [done[plan.order[at]] for at in places]
        if not todo:
            return
        # Before the first shard is written anew, nobody may take the old card for theirs.
        (self.out / CARD).unlink(missing_ok=True)
        work = CutWork(self.settings, self._input, plan.thresholds, self.out)
        in_flight = CUTS_PER_WORKER * (workers or default_workers("processes"))
        with run(engine, work, todo, workers=workers, in_flight=in_flight) as outcomes:
            for at, outcome in zip(places, outcomes, strict=True):
                self.engine = outcomes.engine
                crops = outcome.unwrap()
                if len(crops) != starts[at + 1] - starts[at]:
                    raise DataError(f"{outcome.item.path}: was mined anew meanwhile; run the same command again")
                writer.add(starts[at], crops)
                yield outcome.item.name

    def finish(self) -> dict[str, Any]:
        """Write the histogram and then the card, which is returned. After ``cut`` has come to its end."""
        progress, plan = self._opened(), self._planned()
        clean(self.out)
        rows = (_row(progress, job) for job in self._jobs if job.name not in self.failed)
        figures = summed(row["found"] for row in rows)
        picture = draw_histogram(figures, self.settings)
        _write_changed(self.out / HISTOGRAM, picture)
        header = {name: value for name, value in self._header().items() if name != "mine"}
        card = {
            "ligera_mined": 1,
            "stage": self.settings.stage,
            "side": self.settings.stage,
            "crops": plan.crops,
            "counts": dict(zip(KINDS, plan.counts, strict=True)),
            "shards": math.ceil(plan.crops / self.settings.shard_crops),
            "pictures": len(self._jobs) - len(self.failed),
            "faces": sum(len(job.targets) for job in self._jobs if job.name not in self.failed),
            "failed": sorted(self.failed),
            "found": {kind: {k: v for k, v in one.items() if k != "bins"} for kind, one in figures.items()},
            "iou_bins": {"width": 1 / BINS} | {kind: one["bins"] for kind, one in figures.items()},
        }
        card |= {"thresholds": {name: header.pop(name) for name in THRESHOLDS}} | header
        if put_in_order(self.out / PROGRESS, [job.name for job in self._jobs if job.name not in self.failed]):
            progress.__exit__(None, None, None)
            progress.__enter__()
        _write_changed(self.out / CARD, (json.dumps(card, indent=1) + "\n").encode("ascii"))
        return card

    def _resolve(self) -> None:
        """Look into the model before there is a folder: what size of faces it seeks, how it wants its pictures."""
        least: float = self.settings.stage
        if self._weights is not None:
            from ligera.models.mtcnn_weights import mtcnn_from_facenet

            mtcnn_from_facenet(self._weights)
            self._input, least = WEIGHTS_INPUT, CascadeRule().min_face_px
        elif self.settings.model is not None:
            opened = open_cascade(self.settings.model, self.settings)
            self._input, least = opened.preprocess, opened.cascade.rule.min_face_px
            opened.close()
        if self.settings.least_face_px is None:
            self.settings = replace(self.settings, least_face_px=least)

    def _bundle(self) -> str | None:
        """What workers open: the model, or a bundle made of its weights."""
        if self._weights is None:
            return self.settings.model
        path = self.out / UNFINISHED / "mtcnn.onnx"
        write_bundle_of(self._weights, path)
        return str(path)

    def _header(self) -> dict[str, Any]:
        """All that fixes the result, as the progress record opens with it."""
        header = {"mine": 1} | asdict(self.settings) | {"source": self._source}
        # Not the path, which may be another one for the same network.
        header["model"] = None if self.settings.model is None else Path(self.settings.model).name
        return header | {"labels_sha256": labels_digest(self._jobs), "model_sha256": digest_of(self.settings.model)}

    def _planned(self) -> Plan:
        """The plan for what was found; shards of another plan are taken away."""
        if self._plan is not None:
            return self._plan
        progress = self._opened()
        names = [job.name for job in self._jobs if job.name not in self.failed]
        plan = plan_crops(names, lambda name: progress.get(name) or {}, self.settings)
        if not plan.counts[KINDS.index("positive")]:
            needed = "larger or more faces" if self.settings.model is None else "a better model, or a lower score"
            raise DataError(f"{self.out}: no positives among the candidates of {len(names):,} pictures; try {needed}")
        content = {"digest": plan.digest, "crops": plan.crops, "thresholds": list(map(str, plan.thresholds))}
        wanted = (json.dumps(content) + "\n").encode("ascii")
        path = self.out / PLAN
        if not path.is_file() or path.read_bytes() != wanted:
            (self.out / CARD).unlink(missing_ok=True)
            remove_shards(self.out)
            write_bytes(path, wanted)
        self._plan = plan
        return plan

    def _opened(self) -> Progress:
        if self._progress is None:
            raise ValueError("Mining: use it inside `with Mining(...) as mining`")
        return self._progress


THRESHOLDS = ("score", "nms_iou", "positive_iou", "part_iou", "negative_iou", "landmark_iou", "least_face_px")


def mine(
    source: str | Path, out: Path, settings: MineSettings, engine: str = "auto", workers: int | None = None
) -> dict[str, Any]:
    """All of it at once; returns the card. Raises what ``Mining`` raises; pictures that cannot be read are left out."""
    with Mining(source, out, settings) as mining:
        for step in (mining.propose, mining.cut):
            for _ in step(engine, workers):
                pass
        return mining.finish()


def _write_changed(path: Path, content: bytes) -> None:
    """Write a file unless it says so already."""
    if not path.is_file() or path.read_bytes() != content:
        write_bytes(path, content)


def _row(progress: Progress, job: Job) -> dict[str, Any]:
    row = progress.get(job.name)
    if row is None:
        raise ValueError("Mining: go through propose to its end before")
    return row


def _recorded(outcome: Outcome, progress: Progress) -> Mined:
    """The result of one picture; its row is on the disk when this returns. Raises what is no fault of the picture."""
    job, error = outcome.item, outcome.error
    if error is None:
        row, stage_s = outcome.unwrap()
        progress.add(row)
        return _told(job, row, stage_s=stage_s)
    if isinstance(error, PictureError):
        return Mined(job.path, error=error)
    if isinstance(error, WorkerDied | MemoryError):
        return Mined(job.path, error=LigeraError(f"{job.path}: {str(error) or 'out of memory'}"))
    raise error


def _told(job: Job, row: dict[str, Any], *, stage_s: dict[str, float] | None = None, resumed: bool = False) -> Mined:
    return Mined(job.path, sum(one["count"] for one in row["found"].values()), stage_s, resumed)
