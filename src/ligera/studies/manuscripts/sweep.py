"""All trials of the study as one resumable piece of work, in slices of so many minutes.

What stands in the folder is not done again, a trial under way goes on from its last save, one that cannot be trained
here is remembered with its reason and left out. Seeds go round together and short cases come first, so that a study cut
short is paired and has the most cases.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ligera.errors import UsageError
from ligera.files import write_bytes
from ligera.studies.manuscripts.locking import held
from ligera.studies.manuscripts.process import Ending, run_job
from ligera.studies.manuscripts.settings import Settings
from ligera.studies.manuscripts.trial import Job, probe_job, training_job
from ligera.studies.trials import Listener

__all__ = ["Runner", "Standing", "jobs_of", "run"]

Runner = Callable[[Job, Listener | None], Ending]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the sweep stands: names of what is ``left``, ``under_way`` among them one that has begun; ``total``."""

    total: int
    left: tuple[str, ...] = ()
    under_way: str | None = None

    @property
    def done(self) -> int:
        return self.total - len(self.left)


def jobs_of(settings: Settings, pages: int, folder: Path) -> Iterator[Job]:
    """Everything that is asked for, in the order in which it is done."""
    if settings.timed_steps:
        for backbone in settings.step_backbones:
            yield probe_job(settings, backbone, folder)
    cases = sorted(settings.cases(), key=lambda case: case.epochs)
    for seed in range(settings.seeds):
        for case in cases:
            yield training_job(settings, case, seed, pages, folder)


def run(
    settings: Settings,
    pages: int,
    folder: Path,
    tell: Listener | None = None,
    *,
    runner: Runner | None = None,
) -> Standing:
    """Do what ``folder`` does not hold yet, until the slice is over.

    Raises ``UsageError`` where a whole slice is too short to save anything, and where another study is at work there.
    """
    deadline = None if settings.slice_minutes is None else time.time() + 60 * settings.slice_minutes
    with held(folder / ".study.lock", wait=False):
        for old in folder.glob(".steps-*"):
            shutil.rmtree(old, ignore_errors=True)
        jobs = list(jobs_of(settings, pages, folder))
        begun = 0
        for job in jobs:
            if job.answer.is_file() or job.failure.is_file():
                continue
            if deadline is not None and time.time() >= deadline:
                break
            begun += 1
            if not _do(replace(job, deadline=deadline), tell, runner or run_job, whole_slice=begun == 1):
                break
    return _standing(jobs)


def _do(job: Job, tell: Listener | None, runner: Runner, *, whole_slice: bool) -> bool:
    """Whether there is time for another."""
    if tell:
        tell({"trial": job.name if job.kind == "train" else f"steps of {job.name}"})
    if job.kind == "train" and job.place.is_dir() and not (job.place / "recipe.yaml").is_file():
        # killed before it began
        shutil.rmtree(job.place)
    ending = runner(job, tell)
    if ending.ended == "failed":
        write_bytes(job.failure, (json.dumps({"reason": ending.reason}, indent=1) + "\n").encode())
        if tell:
            tell({"trial": f"{job.name}: not trained: {ending.reason}"})
    if ending.ended == "stopped" and whole_slice and not ending.saved:
        raise UsageError(
            f"slice_minutes: too short for {job.name}, of which nothing was saved; give more minutes, or in another "
            "--runs folder fewer checkpoint_steps"
        )
    return ending.ended != "stopped"


def _standing(jobs: list[Job]) -> Standing:
    left = [job for job in jobs if not job.answer.is_file() and not job.failure.is_file()]
    under_way = next((job for job in left if job.kind == "train" and (job.place / "recipe.yaml").is_file()), None)
    return Standing(len(jobs), tuple(job.name for job in left), under_way and under_way.name)
