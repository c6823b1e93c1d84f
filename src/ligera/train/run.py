"""A training run as its user sees it: a folder that says what was asked, where it ran, what came out.

``start`` makes ``runs/train/<name>/`` (a number is added rather than anything overwritten); ``resume`` goes on with one
that was stopped. Both return a ``RunResult``; pictures (``curves.png``, ``predictions.png``) are drawn at the end.
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from ligera import __version__
from ligera.errors import DataError
from ligera.files import new_run_folder, write_bytes
from ligera.train.checkpoint import FILE_NAME
from ligera.train.faces import FaceTask
from ligera.train.figures import draw_curves, draw_predictions
from ligera.train.loop import Listener, Training
from ligera.train.recipe import Recipe, dump_recipe, read_recipe

PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where the run is, the last epoch's row and what it took."""

    folder: Path
    metrics: dict[str, Any]
    cost: dict[str, Any]


def start(recipe: Recipe, runs: Path = Path("runs"), listener: Listener | None = None) -> RunResult:
    """Train ``recipe`` in a fresh folder. Data problems are raised before any folder is made."""
    task = FaceTask(recipe)
    folder = _shared(lambda: new_run_folder(runs, "train", recipe.name))
    if PartialState().is_main_process:
        write_bytes(folder / "recipe.yaml", dump_recipe(recipe).encode())
        write_bytes(folder / "environment.json", (json.dumps(environment(), indent=2) + "\n").encode())
    return _finish(Training(recipe, task, folder, listener))


def resume(folder: Path, listener: Listener | None = None) -> RunResult:
    """Go on with a run that was stopped; one that is done just reports its result again."""
    if not (folder / "recipe.yaml").is_file():
        raise DataError(f"{folder}: not a training run (no recipe.yaml); give a folder such as runs/train/NAME")
    recipe = read_recipe(folder / "recipe.yaml")
    training = Training(recipe, FaceTask(recipe), folder, listener)
    if (folder / FILE_NAME).is_file():
        training.resume()
    return _finish(training)


def environment() -> dict[str, Any]:
    """What the run ran on: versions, processor, threads, devices."""
    return {
        "ligera": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "processes": PartialState().num_processes,
        "device": str(PartialState().device),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _finish(training: Training) -> RunResult:
    metrics = training.run()
    rows = training.history
    cost = {
        "train_s": round(sum(row["train_s"] for row in rows), 1),
        "evaluate_s": round(sum(row.get("evaluate_s", 0.0) for row in rows), 1),
        "energy_kwh": None,
    }
    if training.accelerator.is_main_process:
        text = json.dumps({"metrics": metrics, "cost": cost, "calibration": training.calibration}, indent=2)
        write_bytes(training.folder / "result.json", (text + "\n").encode())
        draw_curves(rows, training.folder / "curves.png")
        draw_predictions(training.task, training.average.network, training.folder / "predictions.png")
    return RunResult(training.folder, metrics, cost)


def _shared(make: Any) -> Path:
    """The main process makes the folder, the others learn its name."""
    box = [make() if PartialState().is_main_process else None]
    return broadcast_object_list(box)[0]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
