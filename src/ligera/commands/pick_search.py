"""``ligera pick --include-search 30m --train DIR``: an architecture search joins in where the best misses the budget.

``deploy`` knows no search, so the two meet here. What can be wrong is said before anything is measured.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ligera.errors import DataError, LigeraError, MissingExtra, UsageError

if TYPE_CHECKING:
    from ligera.deploy.pick.budget import Budget
    from ligera.deploy.pick.running import PickReport
    from ligera.deploy.pick.searched import Searched

__all__ = ["PlannedSearch", "plan_search"]

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """A search of ``seconds`` on the pictures of ``train``, whose label file has the digest ``labels_sha256``."""

    seconds: float
    train: Path
    labels_sha256: str

    def joined(self, report: PickReport, again: Callable[[Searched], PickReport], note: Note) -> PickReport:
        """``report`` as it stands where its best candidate keeps the budget; else with a net that was searched for.

        A search that comes to nothing leaves the report as it was, with the reason.
        """
        from ligera.deploy.pick.searched import network_ms, wanted
        from ligera.deploy.pick.store import pick_folder
        from ligera.deploy.runtimes.threads import default_threads
        from ligera.search.competing import Ask, search_for

        if not wanted(report):
            return report
        threads = max(report.field.threads or (default_threads(),))
        ask = Ask(self.train, network_ms(report), self.seconds, threads)
        tables = pick_folder() / "search"
        try:
            found = search_for(ask, tables / self._digest(report.budget, threads), tables, note)
            return again(found)
        except LigeraError as error:
            return replace(report, left_out={**report.left_out, "the searched net": str(error)})

    def _digest(self, budget: Budget, threads: int) -> str:
        """What tells this search from others, so that a killed one is found again and a finished one used again."""
        facts = {
            "train": str(self.train.resolve()),
            "labels": self.labels_sha256,
            "seconds": self.seconds,
            "max_ms": budget.max_ms,
            "percentile": budget.percentile,
            "threads": threads,
        }
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def plan_search(
    include_search: str | None, train: Path | None, task: str, data: Path, budget: Budget
) -> PlannedSearch | None:
    """What was asked for, or ``None``. Raises ``UsageError`` for what does not fit, ``DataError`` for pictures without
    labels and ``MissingExtra`` where nothing can be trained."""
    if include_search is None:
        if train is not None:
            raise UsageError("--train: is for --include-search; add it, such as --include-search 30m")
        return None
    from ligera.deploy.pick.searched import parse_duration

    seconds = parse_duration(include_search)
    if task != "faces":
        raise UsageError(f"--include-search: searches face detectors, not {task}; leave it out")
    if budget.max_ms is None:
        raise UsageError("--include-search: searches for a time; add --max-ms")
    if train is None:
        raise UsageError("--include-search: needs labelled pictures to train on, not those of --data; add --train DIR")
    for package in ("torch", "yaml", "accelerate", "onnx"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "train", "--include-search")
    return PlannedSearch(seconds, train, _labels_of(train, data))


def _labels_of(train: Path, data: Path) -> str:
    """The digest of the labels of ``train``; ``UsageError`` where it shares pictures with ``data``."""
    from ligera.data.faces import read_retinaface
    from ligera.data.pictures import find_pictures
    from ligera.deploy.quantization.calibration import picture_digests

    faces = read_retinaface(train)
    if not faces.face_count:
        raise DataError(f"{faces.file}: holds no labelled face to train on")
    judging = set(picture_digests(find_pictures(data)))
    shared = sum(digest in judging for digest in picture_digests(sample.path for sample in faces.samples))
    if shared:
        raise UsageError(
            f"--train: {shared:,} of its pictures are in {data} too; train on others, or it would seem good"
        )
    return hashlib.sha256(faces.file.read_bytes()).hexdigest()
