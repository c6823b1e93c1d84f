"""Run folders as training leaves them, made in an instant: random weights, no picture anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ligera.models.catalogue import build
from ligera.models.classifiers import build_classifier
from ligera.train.checkpoint import save_checkpoint, save_weights
from ligera.train.reading import dump_recipe, parse_recipe

METRICS = {"epoch": 2, "loss_box": 0.5, "ap50": 0.61234, "ap50_masks": 0.7, "ap50_background": float("nan")}


def write_recipe(folder: Path, model: str = "face-small") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "name": "tiny",
        "model": model,
        "data": [{"path": "/home/someone/faces/train"}, {"path": "/home/someone/people", "labels": "teacher.txt"}],
        "validation": "/home/someone/faces/val",
    }
    (folder / "recipe.yaml").write_text(dump_recipe(parse_recipe(values, "test")))
    return folder / "recipe.yaml"


def random_state(seed: int, model: str = "face-small") -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return build(model).state_dict()


def write_finished_run(folder: Path) -> Path:
    write_recipe(folder)
    save_weights(folder / "weights.safetensors", random_state(1))
    (folder / "result.json").write_text(json.dumps({"metrics": METRICS, "cost": {"train_s": 1.0}}))
    return folder


def write_unfinished_run(folder: Path, *, step: int = 0, history: list[dict[str, Any]] | None = None) -> Path:
    """A checkpoint after ``step`` steps of its epoch; the average (seed 3) differs from the network (seed 2)."""
    write_recipe(folder)
    state = {
        "network": random_state(2),
        "average": random_state(3),
        "history": [METRICS] if history is None else history,
        "progress": {"epoch": 1, "step": step, "total": 10 + step},
    }
    save_checkpoint(folder, state)
    return folder


CLASS_CARD = {
    "task": "classify",
    "labels": ["cat", "dog", "Ünicorn"],
    "side_px": 32,
    "mean": [125.3, 123.0, 113.9],
    "std": [63.0, 62.1, 66.7],
}


def classifier_state(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return build_classifier("conv14", 3).state_dict()


def write_classifier_run(folder: Path, **changes: Any) -> Path:
    """A finished training of ``conv14`` on three classes, weights of seed 1; ``changes`` go into its recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"name": "pets", "task": "classification", "model": "conv14", "data": "/home/someone/sets/pets"}
    values |= {"side_px": 32, **changes}
    (folder / "recipe.yaml").write_text(dump_recipe(parse_recipe(values, "test")))
    (folder / "card.json").write_text(json.dumps(CLASS_CARD))
    save_weights(folder / "weights.safetensors", classifier_state(1))
    result = {"metrics": {"epoch": 2, "accuracy": 0.91234}, "closing": {"test_accuracy": 0.9}, "cost": {}}
    (folder / "result.json").write_text(json.dumps(result))
    return folder
