"""The other end of ``worker``: runs one job, passes on what it tells, and says how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ligera.deploy.timing.answering import AnsweringProcess
from ligera.studies.manuscripts.trial import Job
from ligera.studies.trials import Listener

__all__ = ["Ending", "run_job"]


@dataclass(frozen=True, slots=True)
class Ending:
    """``reason`` is why a job failed; ``saved`` how often state was saved before the slice was over."""

    ended: Literal["done", "stopped", "failed"]
    reason: str = ""
    saved: int = 0


class _Process(AnsweringProcess):
    advice = (
        "run the same command again to go on; if this machine lacks the memory, name a smaller batch or lighter "
        "backbones"
    )


def run_job(job: Job, tell: Listener | None = None) -> Ending:
    """Run ``job`` to its end. Raises what went wrong there; ends the process where this one is interrupted."""
    threads = job.recipe["threads"]
    with _Process("ligera.studies.manuscripts.worker", job.to_json(), threads=threads, silent=True) as process:
        while "ended" not in (row := process.told(job.name)):
            if tell:
                tell(row)
    return Ending(**row)
