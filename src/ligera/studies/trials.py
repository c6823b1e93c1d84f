"""Many trainings as one resumable piece of work: each trial is a run folder, done ones are not done again.

A study killed at any moment goes on where it was when it is started again with the same settings: finished trials are
read back, the one that was under way resumes from its checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.errors import DataError
from ligera.meter import Cost, read_cost
from ligera.meter.hardware import available_threads, processor_name
from ligera.train.reading import parse_recipe, read_recipe
from ligera.train.run import resume, start

Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """One training: ``name`` is its run folder, ``recipe`` the values of its recipe."""

    name: str
    recipe: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial came to: a row per epoch, the last scores, where it stands on disk."""

    name: str
    folder: Path
    history: list[dict[str, Any]]
    closing: dict[str, float]
    cost: Cost

    @property
    def seconds(self) -> float:
        """Time of the whole training: selection, steps and validation."""
        return sum(row["train_s"] + row["select_s"] + row.get("evaluate_s", 0.0) for row in self.history)

    @property
    def cpu_seconds(self) -> float:
        """Processor time of selection, steps and validation: what other load on the machine disturbs least."""
        return sum(figures["cpu_s"].value or 0.0 for figures in self.cost.phases.values())

    @property
    def pictures(self) -> int:
        """How many pictures the network was shown, repetitions counted."""
        return sum(row["pictures"] for row in self.history)

    def last(self, score: str) -> float:
        """``score`` on validation after the last epoch."""
        return self.history[-1][score]

    def best(self, score: str) -> float:
        """The highest ``score`` of any epoch: chosen on the pictures it is measured on, so too friendly."""
        return max(row[score] for row in self.history if score in row)


def run_trials(trials: Iterable[Trial], folder: Path, tell: Listener | None = None) -> dict[str, Outcome]:
    """Train what is not yet trained, one after the other; ``folder`` holds a run folder for each."""
    outcomes = {}
    for trial in trials:
        if tell:
            tell({"trial": trial.name})
        outcomes[trial.name] = _run(trial, folder, tell)
    return outcomes


def _run(trial: Trial, folder: Path, tell: Listener | None) -> Outcome:
    place = folder / "train" / trial.name
    recipe = parse_recipe({**trial.recipe, "name": trial.name}, trial.name).anchored(Path.cwd())
    if (place / "recipe.yaml").is_file():
        if read_recipe(place / "recipe.yaml") != recipe:
            raise DataError(f"{place}: was made with other settings; give another --runs folder or remove it")
        if not (place / "result.json").is_file():
            resume(place, tell)
    else:
        start(recipe, folder, tell)
    return read_outcome(place)


def place(threads: int | None, precision: str) -> str:
    """On what a study was measured, in words."""
    return f"{processor_name()}, {threads or available_threads()} threads, {precision}"


def read_outcome(place: Path) -> Outcome:
    """The outcome of a finished run folder; ``DataError`` when it is not one."""
    try:
        rows = [json.loads(line) for line in (place / "history.jsonl").read_text().splitlines()]
        result = json.loads((place / "result.json").read_text())
        return Outcome(place.name, place, rows, result["closing"], read_cost(place))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{place}: not a finished training run ({error}); remove it and start the study again"
        ) from None
