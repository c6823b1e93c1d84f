"""A face detector that goes on from the weights of an earlier run."""

from pathlib import Path

import pytest
import torch

from ligera.errors import DataError
from ligera.models import catalogue
from ligera.train.checkpoint import save_weights
from ligera.train.faces.task import FaceTask
from ligera.train.reading import parse_recipe, read_recipe


def task(values: dict, weights: Path) -> FaceTask:
    return FaceTask(parse_recipe(values | {"pretrained": str(weights)}, "test").anchored(Path.cwd()))


def test_training_starts_from_the_weights_given(recipe_values: dict, tmp_path: Path) -> None:
    saved = catalogue.build("face-small").state_dict()
    save_weights(tmp_path / "weights.safetensors", saved)
    started = task(recipe_values, tmp_path / "weights.safetensors").network().state_dict()
    assert all(torch.equal(started[name], value) for name, value in saved.items())


def test_weights_of_another_network_are_refused(recipe_values: dict, tmp_path: Path) -> None:
    save_weights(tmp_path / "face.safetensors", catalogue.build("face").state_dict())
    with pytest.raises(DataError, match=r"face\.safetensors: weights of another network"):
        task(recipe_values, tmp_path / "face.safetensors").network()


def test_a_missing_file_is_named(recipe_values: dict, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such weights file"):
        task(recipe_values, tmp_path / "gone.safetensors").network()


def test_the_path_is_taken_from_the_recipes_folder(recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file, ("pretrained=first/weights.safetensors",))
    assert recipe.pretrained == recipe_file.parent / "first" / "weights.safetensors"
