"""A face detector that goes on from the weights of an earlier run."""

from pathlib import Path

import pytest
import torch

from ligera.errors import DataError, RecipeError
from ligera.models import catalogue
from ligera.train import run
from ligera.train.checkpoint import load_weights, save_weights
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


def test_a_file_of_first_backbone_layers_leaves_the_rest_random(recipe_values: dict, tmp_path: Path) -> None:
    saved = {name: value for name, value in catalogue.build("face-small").state_dict().items() if ".stem." in name}
    save_weights(tmp_path / "stem.safetensors", saved)
    torch.manual_seed(3)
    rest = catalogue.build("face-small").state_dict()
    torch.manual_seed(3)
    started = task(recipe_values, tmp_path / "stem.safetensors").network().state_dict()
    assert saved and all(torch.equal(started[name], {**rest, **saved}[name]) for name in started)


def test_frozen_stages_need_weights_to_keep(recipe_values: dict) -> None:
    with pytest.raises(RecipeError, match="frozen_stages: random weights would stay random"):
        parse_recipe(recipe_values | {"frozen_stages": 1}, "test")


def test_a_backbone_without_stages_cannot_be_frozen(recipe_values: dict, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="resnet50 has no stages to freeze"):
        task(recipe_values | {"model": "RetinaFace-ResNet50", "frozen_stages": 1, "loss": "multibox"}, tmp_path / "w")


def test_training_changes_nothing_in_frozen_stages_and_something_behind_them(
    recipe_values: dict, tmp_path: Path
) -> None:
    saved = catalogue.build("face-small").state_dict()
    save_weights(tmp_path / "weights.safetensors", saved)
    changes = {"pretrained": str(tmp_path / "weights.safetensors"), "frozen_stages": 2}
    recipe = parse_recipe(recipe_values | changes, "test").anchored(Path.cwd())
    folder = run.start(recipe, tmp_path / "runs").folder
    trained = load_weights(folder / "weights.safetensors")
    frozen = ("backbone.stem.", "backbone.prestage.", "backbone.stages.0.", "backbone.stages.1.")
    same = {name for name, value in saved.items() if torch.equal(trained[name], value)}
    assert {name for name in saved if name.startswith(frozen)} <= same
    assert not {name for name in saved if name.startswith("backbone.stages.2.") and name.endswith("weight")} & same
