"""Study ``dynamic``: does dynamic training save time at no loss? (paper D, tables 2 to 5 and figures 8 to 13)

Classification of CIFAR-10 with the paper's network under every sampler, seeds paired, each judged on the test pictures
that no decision has looked at: sampling is steered by a part held out of the training pictures (the paper steered by
what it reported). Beside the paper's designs stand the peers it leaves out: a fresh random subset every epoch (rs2),
loss-based pruning (infobatch), and full training cut to the epochs that take as long as dynamic training did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from ligera.studies.trials import Listener, Outcome, Trial, run_trials
from ligera.typed_yaml import Frozen

BASE = "full"
EQUAL_TIME = "full, shortened"


class Settings(Frozen):
    """What is trained. ``pictures`` of the training part are used, ``held_out`` more steer the samplers.

    Seeds, cells of the grid and ``augmented`` may change from one command to the next in one run folder: trainings that
    stand there are kept, and those that are asked for are read. All else decides what a training is.

    Epochs are the paper's: ``variant_epochs`` for the variant. With augmentation it does not say how many; its times
    are half of those without.
    """

    data: Path
    pictures: int = Field(45_000, ge=100)
    held_out: int = Field(5_000, ge=100)
    test_pictures: int | None = Field(None, ge=100)
    epochs: int = Field(200, ge=1)
    variant_epochs: int = Field(80, ge=1)
    augmented_epochs: int = Field(100, ge=1)
    batch: int = Field(512, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    schedule: str = "constant"
    seeds: int = Field(20, ge=1, exclude=True)
    grid_seeds: int = Field(1, ge=0, exclude=True)
    alphas: tuple[float, ...] = Field((0.5, 0.4, 0.3), exclude=True)
    betas: tuple[float, ...] = Field((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), exclude=True)
    alpha: float = Field(0.5, gt=0, le=1)
    beta: float = Field(0.7, ge=0, le=1)
    augmented: tuple[bool, ...] = Field((False, True), exclude=True)
    model: str = "conv14"
    precision: str = "fp32"
    threads: int | None = None


QUICK = {
    "pictures": 400,
    "held_out": 200,
    "test_pictures": 300,
    "epochs": 3,
    "variant_epochs": 2,
    "augmented_epochs": 3,
    "batch": 50,
    "seeds": 2,
    "grid_seeds": 1,
    "alphas": (0.5,),
    "betas": (0.1, 0.7),
    "augmented": (False,),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to choose what is trained on: ``sampler`` as recipes spell it, ``short`` for the variant's epochs."""

    name: str
    sampler: dict[str, Any]
    variant: bool = False


def conditions(settings: Settings) -> tuple[Condition, ...]:
    """The ways that are compared, the base of all comparisons first."""
    alpha, beta = settings.alpha, settings.beta
    changing = {"kind": "dynamic", "alpha": alpha, "beta": beta}
    return (
        Condition(BASE, {"kind": "full"}),
        Condition("static", {"kind": "static", "alpha": alpha}),
        Condition("dynamic", changing),
        Condition("variant", changing | {"design": "variant"}, variant=True),
        Condition("rs2", {"kind": "rs2", "alpha": alpha}),
        Condition("infobatch", {"kind": "infobatch"}),
    )


@dataclass(frozen=True, slots=True)
class Results:
    """Outcomes by (condition, augmented) in the order of the seeds, and by (alpha, beta) of the grid."""

    settings: Settings
    compared: dict[tuple[str, bool], list[Outcome]]
    grid: dict[tuple[float, float], list[Outcome]]


def run(settings: Settings, folder: Path, tell: Listener | None = None) -> Results:
    """Train every trial that ``folder`` does not hold yet. Seeds go round together, so a study cut short is paired."""
    compared: dict[tuple[str, bool], list[Outcome]] = {}
    for seed in range(settings.seeds):
        for augmented in settings.augmented:
            for condition in conditions(settings):
                done = _one(_trial(settings, condition, seed, augmented), folder, tell)
                compared.setdefault((condition.name, augmented), []).append(done)
    for augmented in settings.augmented:
        epochs = _equal_epochs(settings, compared, augmented)
        # The epochs follow from all seeds: with more of them trainings of another length stand under another name.
        short = Condition(f"{EQUAL_TIME} to {epochs} epochs", {"kind": "full"})
        for seed in range(settings.seeds):
            trial = _trial(settings, short, seed, augmented, epochs)
            compared.setdefault((EQUAL_TIME, augmented), []).append(_one(trial, folder, tell))
    return Results(settings, compared, _grid(settings, folder, tell))


def _grid(settings: Settings, folder: Path, tell: Listener | None) -> dict[tuple[float, float], list[Outcome]]:
    grid: dict[tuple[float, float], list[Outcome]] = {}
    for alpha, beta, seed in _cells(settings):
        cell = Condition(f"alpha {alpha:g} beta {beta:g}", {"kind": "dynamic", "alpha": alpha, "beta": beta})
        grid.setdefault((alpha, beta), []).append(_one(_trial(settings, cell, seed, False), folder, tell))
    return grid


def _cells(settings: Settings) -> Iterator[tuple[float, float, int]]:
    for seed in range(settings.grid_seeds):
        for alpha in settings.alphas:
            for beta in settings.betas:
                yield alpha, beta, seed


def _equal_epochs(settings: Settings, compared: dict[tuple[str, bool], list[Outcome]], augmented: bool) -> int:
    """Epochs of full training that take as long as dynamic training took, by the median over seeds of both."""
    times = {name: np.median([run.cpu_seconds for run in compared[name, augmented]]) for name in (BASE, "dynamic")}
    return max(1, round(_epochs(settings, augmented, False) * float(times["dynamic"] / times[BASE])))


def _epochs(settings: Settings, augmented: bool, variant: bool) -> int:
    if augmented:
        return settings.augmented_epochs
    return settings.variant_epochs if variant else settings.epochs


def _one(trial: Trial, folder: Path, tell: Listener | None) -> Outcome:
    return run_trials([trial], folder, tell)[trial.name]


def _trial(settings: Settings, condition: Condition, seed: int, augmented: bool, epochs: int | None = None) -> Trial:
    words = condition.name.replace(", ", "-").replace(" ", "-")
    name = f"{words}{'-augmented' if augmented else ''}-seed{seed}"
    recipe = {
        "task": "classification",
        "model": settings.model,
        "data": str(settings.data),
        "held_out": settings.held_out,
        "training_pictures": settings.pictures,
        "test_pictures": settings.test_pictures,
        "augment": augmented,
        "seed": seed,
        "batch": settings.batch,
        "epochs": epochs or _epochs(settings, augmented, condition.variant),
        "sampler": condition.sampler,
        "learning_rate": settings.learning_rate,
        "weight_decay": 0.0,
        "warmup_steps": 0,
        "schedule": settings.schedule,
        "ema_decay": 0.0,
        "precision": settings.precision,
        "threads": settings.threads,
    }
    return Trial(name, recipe)
