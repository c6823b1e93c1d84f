"""A training run as its user sees it: a folder that says what was asked, where it ran, what came out.

``start`` makes ``runs/train/<name>/`` (a number is added rather than anything overwritten); ``resume`` goes on with one
that was stopped. Both return a ``RunResult``; pictures (``curves.png`` and the task's own) are drawn at the end.
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
from ligera.meter import Meter, read_cost
from ligera.train.checkpoint import FILE_NAME
from ligera.train.figures import draw_curves
from ligera.train.loop import Listener, Training
from ligera.train.reading import dump_recipe, read_recipe
from ligera.train.recipe import Recipe
from ligera.train.task import Task, task_for

PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where the run is, the last epoch's row and what it took."""

    folder: Path
    metrics: dict[str, Any]
    cost: dict[str, Any]


def start(recipe: Recipe, runs: Path = Path("runs"), listener: Listener | None = None) -> RunResult:
    """Train ``recipe`` in a fresh folder. Data problems are raised before any folder is made."""
    task = task_for(recipe)
    folder = _shared(lambda: new_run_folder(runs, "train", recipe.name))
    if PartialState().is_main_process:
        write_bytes(folder / "recipe.yaml", dump_recipe(recipe).encode())
        write_bytes(folder / "environment.json", _json(environment()))
        write_bytes(folder / "card.json", _json(task.card()))
    return _train(recipe, task, folder, listener)


def resume(folder: Path, listener: Listener | None = None) -> RunResult:
    """Go on with a run that was stopped; one that is done just reports its result again."""
    if not (folder / "recipe.yaml").is_file():
        raise DataError(f"{folder}: not a training run (no recipe.yaml); give a folder such as runs/train/NAME")
    recipe = read_recipe(folder / "recipe.yaml")
    return _train(recipe, task_for(recipe), folder, listener, again=True)


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


def _train(recipe: Recipe, task: Task, folder: Path, listener: Listener | None, again: bool = False) -> RunResult:
    with Meter(folder / "cost.json", rank=PartialState().process_index, gpus=gpus()) as meter:
        training = Training(recipe, task, folder, meter, listener)
        if again and (folder / FILE_NAME).is_file():
            training.resume()
        metrics = training.run()
    cost = read_cost(folder).as_dict()
    if training.accelerator.is_main_process:
        network = training.average.network
        write_bytes(folder / "result.json", _json({"metrics": metrics, "closing": training.closing, "cost": cost}))
        draw_curves(training.history, folder / "curves.png")
        task.draw(network, folder)
    return RunResult(folder, metrics | training.closing, cost)


def gpus() -> list[str]:
    """The card this process trains on, as its driver names it; none on a CPU."""
    device = PartialState().device
    return [str(torch.cuda.get_device_properties(device).uuid)] if device.type == "cuda" else []


def _json(values: Any) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _shared(make: Any) -> Path:
    """The main process makes the folder, the others learn its name."""
    box = [make() if PartialState().is_main_process else None]
    return broadcast_object_list(box)[0]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
