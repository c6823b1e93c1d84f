"""Memory that runs out in the middle of training ends in one line of advice."""

from pathlib import Path

import pytest
import torch

from ligera.errors import RecipeError
from ligera.meter import Meter
from ligera.train.faces.task import FaceTask
from ligera.train.loop import Training
from ligera.train.reading import parse_recipe


def train_with(error: Exception, values: dict, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_anything: object) -> None:
        raise error

    recipe = parse_recipe(values, "test")
    task = FaceTask(recipe)
    monkeypatch.setattr(task, "loss", raises)
    with Meter() as meter:
        Training(recipe, task, folder, meter=meter).run()


def test_running_out_of_memory_says_what_to_make_smaller(
    recipe_values: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match="batch: out of memory with 2 samples a step; make it smaller"):
        train_with(torch.OutOfMemoryError("CUDA out of memory"), recipe_values, tmp_path, monkeypatch)


def test_another_error_stays_what_it_is(recipe_values: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train_with(RuntimeError("shapes do not fit"), recipe_values, tmp_path, monkeypatch)
