"""A trial as its own process gets it: the recipe of a case and a seed, grouped into chunks after which state is saved.

The training loop saves after each of its epochs, which for a few pages would be every few steps. So an epoch of a
recipe here is several of the case's, each page shown as often as in these; and where one epoch of the case is long it
is saved within.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from ligera.studies.manuscripts.cases import CHOSEN, Case
from ligera.studies.manuscripts.settings import Settings

__all__ = ["Job", "epochs_at_once", "probe_job", "training_job"]

WARMUP_SHARE = 0.1
PROBE_SEED = 0


@dataclass(frozen=True, slots=True)
class Job:
    """What one process does: a training and its scores, or a few timed steps.

    ``name`` is the trial's run folder in ``folder``; ``epochs_at_once`` is how many epochs of its case one of the
    recipe stands for. ``deadline`` is by ``time.time()``.
    """

    kind: Literal["train", "steps"]
    name: str
    recipe: dict[str, Any]
    folder: str
    validation: str
    epochs_at_once: int = 1
    timed_steps: int = 0
    deadline: float | None = None

    @property
    def place(self) -> Path:
        """The trial's run folder."""
        return Path(self.folder) / "train" / self.name

    @property
    def answer(self) -> Path:
        """The file that stands once the job is done."""
        return self.place / "scores.json" if self.kind == "train" else Path(self.folder) / "steps" / f"{self.name}.json"

    @property
    def failure(self) -> Path:
        """The file that says why it cannot be done."""
        return Path(self.folder) / "failed" / f"{self.name}.json"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


def epochs_at_once(epochs: int, pages: int, most_steps: int) -> int:
    """The most epochs that divide ``epochs`` and take no more than ``most_steps`` steps of the usual batch; 1 at least.

    Of the usual one, so that cases that differ in batch alone see their pages in the same order.
    """
    fitting = (n for n in range(1, epochs + 1) if epochs % n == 0 and n * pages <= most_steps * CHOSEN.batch)
    return max(fitting, default=1)


def training_job(settings: Settings, case: Case, seed: int, pages: int, folder: Path) -> Job:
    """The training of ``case``, whose epochs show ``pages`` pages: those of one seed show them in the same order."""
    at_once = epochs_at_once(case.epochs, pages, settings.checkpoint_steps)
    steps = case.epochs // at_once * (at_once * pages // case.batch)
    within = at_once == 1 and pages // case.batch > settings.checkpoint_steps
    recipe = _recipe(settings, case.backbone, case.batch, seed) | {
        "epochs": case.epochs // at_once,
        "samples_per_epoch": at_once * pages if at_once > 1 or settings.pages else None,
        "schedule": "step",
        "step_at": case.step_at,
        "step_factor": 0.1,
        "warmup_steps": min(settings.warmup_steps, int(WARMUP_SHARE * steps)),
        "checkpoint_every_steps": settings.checkpoint_steps if within else None,
    }
    name, validation = case.trial(seed), str(settings.validation_pages)
    return Job("train", name, recipe, str(folder), validation, epochs_at_once=at_once)


def probe_job(settings: Settings, backbone: str, folder: Path) -> Job:
    """A few steps of ``backbone``, on the same pages for all, each shown whole so that steps are alike."""
    steps, batch = settings.timed_steps, settings.step_batch
    recipe = _recipe(settings, backbone, batch, PROBE_SEED)
    # one step before those that count, and one more than is taken, as the last of an epoch is followed by a save
    recipe |= {"augment": False}
    recipe |= {"epochs": 1, "samples_per_epoch": batch * (steps + 2), "schedule": "constant", "warmup_steps": steps + 2}
    return Job("steps", f"{backbone}-b{batch}", recipe, str(folder), "", timed_steps=steps)


def _recipe(settings: Settings, backbone: str, batch: int, seed: int) -> dict[str, Any]:
    return {
        "task": "regions",
        "model": backbone,
        "data": str(settings.training_pages),
        "side_px": settings.side_px,
        "augment": settings.augment,
        "seed": seed,
        "batch": batch,
        "optimizer": settings.optimizer,
        "learning_rate": settings.learning_rate,
        "reference_batch": settings.reference_batch,
        "weight_decay": settings.weight_decay,
        "ema_decay": settings.ema_decay,
        "precision": settings.precision,
        "threads": settings.threads,
        "workers": settings.workers,
    }
