"""One trial, or a few timed steps, in a process of its own, so that its memory is its own.

``python -m ligera.studies.manuscripts.worker JSON`` with a :class:`Job`. Says a line of JSON for each step and epoch,
as training tells them, and last how it ended: ``{"ended": "done"}``, ``{"ended": "stopped", "saved": N}`` where the
slice was over, with how often state was saved, or ``{"ended": "failed", "reason": ...}`` where the recipe cannot be
trained here. An error is ``{"error": ..., "exit_code": ...}``. Whoever reads may go: the next line ends the process.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from ligera.errors import DataError, LigeraError, RecipeError
from ligera.files import write_bytes
from ligera.studies.manuscripts.locking import held
from ligera.studies.manuscripts.trial import Job

__all__ = ["SliceOver", "Watch", "main"]

Say = Callable[[dict[str, Any]], None]
# Of the time to the next save, that much more is allowed for.
MARGIN = 1.1


class SliceOver(Exception):
    """The time that was given is over; what is saved is gone on with."""


class Watch:
    """Passes on what training tells, and ends it by ``SliceOver`` in time: right after a save where the next would
    come too late. ``saved`` counts the saves."""

    def __init__(self, job: Job, say: Say) -> None:
        self._job, self._say = job, say
        self._since = time.time()
        self.saved = 0

    def __call__(self, row: dict[str, Any]) -> None:
        if "trial" not in row:  # the study has said that
            self._say(self._of_the_case(row))
        if self._job.deadline is None:
            return
        now = time.time()
        if "row" in row:
            if row["row"]["epoch"] < self._job.recipe["epochs"]:
                self._state_saved(now)
        elif "step" in row:
            every = self._job.recipe["checkpoint_every_steps"]
            # the save of a step comes after it is told, so the one before is on disk now
            if every and row["step"] > 1 and (row["epoch"] * row["steps"] + row["step"] - 1) % every == 0:
                self._state_saved(now)
            if now > self._job.deadline:
                raise SliceOver

    def _state_saved(self, now: float) -> None:
        self.saved += 1
        took, self._since = now - self._since, now
        if now + MARGIN * took > (self._job.deadline or now):
            raise SliceOver

    def _of_the_case(self, row: dict[str, Any]) -> dict[str, Any]:
        """Epochs of the recipe as epochs of its case."""
        if "row" in row:
            return {"row": row["row"] | {"epoch": row["row"]["epoch"] * self._job.epochs_at_once}}
        return row | {"epoch": row["epoch"] * self._job.epochs_at_once}


def main(text: str, say: Say) -> None:
    job = Job.from_json(text)
    try:
        # one whose study was killed may still be in its last step
        with held(Path(job.folder) / ".worker.lock", wait=True):
            saved = _train(job, say) if job.kind == "train" else _time_steps(job, say)
    except RecipeError as error:
        # settings were read before, so this is memory that lacks, or a loss that is no number any more
        say({"ended": "failed", "reason": str(error)})
    else:
        say({"ended": "done"} if saved is None else {"ended": "stopped", "saved": saved})


def _train(job: Job, say: Say) -> int | None:
    """Train and score; ``None`` when done, or how often state was saved until the slice was over."""
    from ligera.studies.manuscripts.judging import judge
    from ligera.studies.trials import Trial, run_trials
    from ligera.train.checkpoint import FILE_NAME

    watch = Watch(job, say)
    try:
        run_trials([Trial(job.name, job.recipe)], Path(job.folder), watch)
    except SliceOver:
        return watch.saved
    if job.deadline is not None and time.time() > job.deadline:
        return watch.saved + 1
    judge(job.recipe, job.validation, job.place)
    # done with, and several times as large as the weights
    (job.place / FILE_NAME).unlink(missing_ok=True)
    return None


def _time_steps(job: Job, say: Say) -> None:
    """Time single steps, the first one left out, and leave nothing but ``job.answer``."""
    from ligera.meter import read_cost
    from ligera.studies.manuscripts.memory import peak_memory
    from ligera.train.reading import parse_recipe
    from ligera.train.run import start

    class Enough(Exception):
        pass

    ends: list[float] = []
    cpu_ends: list[float] = []

    def listen(_row: dict[str, Any]) -> None:
        ends.append(time.perf_counter())
        cpu_ends.append(time.process_time())
        if len(ends) > job.timed_steps:
            raise Enough

    with tempfile.TemporaryDirectory(dir=job.folder, prefix=".steps-") as folder:
        with contextlib.suppress(Enough):
            start(parse_recipe(job.recipe | {"name": job.name}, job.name), Path(folder), listen)
        place = Path(folder) / "train" / job.name
        memory, card = peak_memory(place, read_cost(place)), json.loads((place / "card.json").read_text())
    found = {
        "backbone": job.recipe["model"],
        "batch": job.recipe["batch"],
        "step_s": [end - begin for begin, end in itertools.pairwise(ends)],
        "cpu_s": [end - begin for begin, end in itertools.pairwise(cpu_ends)],
        "memory_mib": memory.mib,
        "memory_of": memory.of,
        "foretold_mb": card["memory_foretold_mb"],
    }
    write_bytes(job.answer, (json.dumps(found, indent=1) + "\n").encode())


def _run(text: str, channel: TextIO) -> None:
    def say(row: dict[str, Any]) -> None:
        # the protocol between this process and the study, not something a user reads
        channel.write(json.dumps(row) + "\n")
        channel.flush()

    try:
        main(text, say)
    except LigeraError as error:
        say({"error": str(error), "exit_code": error.exit_code, "of_data": isinstance(error, DataError)})
    except BrokenPipeError:
        os._exit(0)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        say({"error": f"{error.filename or 'a file'}: {reason}", "exit_code": 2, "of_data": True})
    except Exception as error:
        if os.environ.get("LIGERA_DEBUG"):
            raise
        say({"error": f"{type(error).__name__}: {error} (LIGERA_DEBUG=1 shows where)", "exit_code": 1})


if __name__ == "__main__":
    # what any library prints goes elsewhere
    _channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _run(sys.argv[1], _channel)
