"""Study ``mtcnn-parallel``: its settings and its trainings (paper A, sections 3.2 and 4, tables 2 and 3).

The paper compares batch 1 ("without parallelism") with batch 16 ("with"). What it calls parallel is thus the size of a
batch. Here batch sizes are crossed with numbers of input workers, so that each is seen by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ligera.studies.trials import Listener, Outcome, Trial, run_trials
from ligera.typed_yaml import Frozen

PAPER_PICTURES = 4275
# Seconds of each epoch in the paper's table 3: batch 1 and batch 16 on an A100.
PAPER_EPOCHS_S = {
    1: (222.06, 31.22, 31.65, 31.08, 31.17, 31.00, 31.03, 30.96, 31.11, 30.88, 31.10, 30.96, 31.31, 31.04, 30.93),
    16: (31.71, 24.31, 24.06, 24.17, 24.08, 24.20, 23.96, 23.67, 23.79, 23.84, 23.95, 23.74, 23.77, 23.84, 24.05),
}
PAPER_TOTALS_S = {1: 657.61, 16: 367.25}  # a tenth of a second more than its epochs together
# Last epoch of its appendices: losses before their weights.
PAPER_LOSSES = {
    1: {"classification": 7.1643e-07, "boxes": 0.0111},
    16: {"classification": 7.8393e-05, "boxes": 0.0120},
}


class Settings(Frozen):
    """What is trained and asked. ``data``: a folder with RetinaFace labels, of which ``pictures`` with a face are used.

    ``judged``: another such folder (the same, where left out), of which ``judged_pictures`` with faces, and as many
    without (those of ``data`` where it has none), are searched for proposals. ``p_net``: a bundle of MTCNN trained with
    negatives, to set beside.

    What is judged, and how, may change from one command to the next in one run folder, and so may ``batches`` and
    ``workers``: trainings that stand there are kept.
    """

    data: Path
    judged: Path | None = Field(None, exclude=True)
    p_net: Path | None = Field(None, exclude=True)
    pictures: int | None = Field(None, ge=2)
    judged_pictures: int = Field(20, ge=1, exclude=True)
    epochs: int = Field(15, ge=1)
    batches: tuple[int, ...] = Field((1, 16), min_length=1, exclude=True)
    workers: tuple[int, ...] = Field((0, 1, 2), min_length=1, exclude=True)
    side_px: int = Field(128, ge=12, le=1024)
    learning_rate: float = Field(1e-4, gt=0)
    box_weight: float = Field(0.5, ge=0)
    score: float = Field(0.7, ge=0, le=1, exclude=True)
    nms_iou: float = Field(0.7, ge=0, le=1, exclude=True)
    seed: int = Field(0, ge=0)
    precision: str = "fp32"
    threads: int | None = Field(None, ge=1)

    @field_validator("batches", "workers")
    @classmethod
    def _each_once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value) or min(value) < 0:
            raise ValueError(f"expected whole numbers from 0 up, each once, got {list(value)}")
        return value


QUICK = {"pictures": 192, "judged_pictures": 3, "epochs": 6, "workers": (0, 1), "learning_rate": 1e-3}
"""With a tenth of the steps it takes a tenfold learning rate to get as far as the paper's first epochs."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One training: pictures in a step, processes that decode them."""

    batch: int
    workers: int

    @property
    def name(self) -> str:
        return f"batch{self.batch}-workers{self.workers}"

    @property
    def words(self) -> str:
        return f"batch {self.batch}, {self.workers} workers"


def conditions(settings: Settings) -> tuple[Condition, ...]:
    """Every batch size with every number of workers, the paper's "without parallelism" first."""
    return tuple(Condition(batch, workers) for batch in settings.batches for workers in settings.workers)


def run(settings: Settings, folder: Path, tell: Listener | None = None) -> dict[Condition, Outcome]:
    """Train every condition that ``folder`` does not hold yet."""
    return {
        one: run_trials([Trial(one.name, recipe(settings, one))], folder, tell)[one.name]
        for one in conditions(settings)
    }


def recipe(settings: Settings, condition: Condition) -> dict[str, Any]:
    """The paper's training as a recipe: Adam, a constant rate, no decay, no average of weights, no clipping."""
    return {
        "task": "mtcnn-positives",
        "data": str(settings.data),
        "pictures": settings.pictures,
        "side_px": settings.side_px,
        "box_weight": settings.box_weight,
        "seed": settings.seed,
        "batch": condition.batch,
        "workers": condition.workers,
        "epochs": settings.epochs,
        "optimizer": "adamw",
        "weight_decay": 0.0,
        "learning_rate": settings.learning_rate,
        "warmup_steps": 0,
        "schedule": "constant",
        "clip_norm": 1e9,
        "ema_decay": 0.0,
        "precision": settings.precision,
        "threads": settings.threads,
        "evaluate_every": settings.epochs,
    }
