"""MTCNN's networks through the one loop: they learn, are judged apart, survive a stop, and say what is wrong first."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ligera.data.crops import KINDS, write_crops
from ligera.errors import LigeraError, RecipeError
from ligera.train.mtcnn.crop_parts import last_of_each_kind, row_weights
from ligera.train.mtcnn.recipe import CropMix
from ligera.train.mtcnn.task import MtcnnTask
from ligera.train.reading import dump_recipe, parse_recipe, read_recipe
from ligera.train.run import resume, start

from .conftest import made_crops


def test_it_learns_faces_boxes_and_points_and_leaves_a_whole_run_folder(mtcnn_values: dict, tmp_path: Path) -> None:
    result = start(parse_recipe(mtcnn_values | {"epochs": 12}, "test"), tmp_path)
    assert result.metrics["ap"] > 0.95
    assert result.metrics["box_iou"] > result.metrics["box_iou_before"] + 0.1
    assert result.metrics["landmark_distance"] < 0.15
    files = {path.name for path in result.folder.iterdir()}
    expected = {"card.json", "cost.json", "crops.png", "curves.png", "history.jsonl", "result.json"}
    assert expected | {"weights.safetensors", "checkpoint.pt", "recipe.yaml"} <= files
    card = json.loads((result.folder / "card.json").read_text())
    assert (card["net"], card["side_px"], card["mined_from"]) == ("p-net", 12, ["faces/train"])
    assert card["crops"]["training"] == dict.fromkeys(KINDS, 60)


@pytest.mark.parametrize(("net", "side"), [("r-net", 24), ("o-net", 48)])
def test_the_later_networks_are_trained_alike(net: str, side: int, mtcnn_values: dict, tmp_path: Path) -> None:
    write_crops(tmp_path / "crops", 0, made_crops(10, side))
    changes = {"net": net, "data": str(tmp_path / "crops"), "validation": str(tmp_path / "crops"), "epochs": 1}
    result = start(parse_recipe(mtcnn_values | changes, "test"), tmp_path / "runs")
    assert {"ap", "accuracy", "recall", "false_alarms", "box_iou", "landmark_distance"} <= result.metrics.keys()
    assert np.isfinite([value for value in result.metrics.values() if isinstance(value, float)]).all()


@pytest.mark.parametrize("sampler", ["full", "rs2", "infobatch"])
def test_a_run_stopped_mid_epoch_ends_in_the_same_weights(mtcnn_values: dict, tmp_path: Path, sampler: str) -> None:
    values = mtcnn_values | {"epochs": 3, "sampler": sampler, "checkpoint_every_steps": 1, "batch": 60}
    recipe = parse_recipe(values, "test")
    whole = start(recipe, tmp_path / "whole").folder

    class Stopped(Exception):
        pass

    def stop(row: dict) -> None:
        if row.get("epoch") == 1 and row.get("step") == 2:
            raise Stopped

    with pytest.raises(Stopped):
        start(recipe, tmp_path / "stopped", stop)
    again = resume(tmp_path / "stopped" / "train" / "tiny-p").folder
    one, other = load_file(whole / "weights.safetensors"), load_file(again / "weights.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_epoch_shows_kinds_in_the_proportions_of_the_mix() -> None:
    kinds = np.repeat(np.arange(4), [100, 50, 20, 10])
    weights = row_weights(kinds, CropMix(negative=3, positive=1, part=1, landmark=2))
    shares = np.bincount(kinds, weights) / weights.sum()
    np.testing.assert_allclose(shares, np.array([3, 1, 1, 2]) / 7)
    none_marked = row_weights(kinds[:170], CropMix())
    np.testing.assert_allclose(np.bincount(kinds[:170], none_marked) / none_marked.sum(), np.array([3, 1, 1]) / 5)


def test_held_out_crops_are_the_last_of_each_kind_and_never_trained_on() -> None:
    kinds = np.array([0, 1, 0, 1, 0, 0, 2, 2], np.int8)
    assert np.flatnonzero(last_of_each_kind(kinds, 0.5)).tolist() == [3, 4, 5, 7]
    assert np.flatnonzero(last_of_each_kind(kinds, 1)).tolist() == [3, 5, 7]


def test_several_folders_are_one_set(mtcnn_values: dict, crop_folder: Path) -> None:
    both = parse_recipe(mtcnn_values | {"data": [str(crop_folder), str(crop_folder)]}, "test")
    assert len(MtcnnTask(both).training) == 2 * len(MtcnnTask(parse_recipe(mtcnn_values, "test")).training)


def test_landmarks_weigh_half_and_in_o_net_one(mtcnn_values: dict) -> None:
    weights = [parse_recipe(mtcnn_values | {"net": net}, "test").weights.landmarks for net in ("p-net", "o-net")]
    assert weights == [0.5, 1.0]
    assert parse_recipe(mtcnn_values | {"weights": {"landmarks": 0}}, "test").weights.landmarks == 0


def test_a_recipe_reads_back_as_it_was_with_paths_from_its_own_folder(mtcnn_values: dict, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(dump_recipe(parse_recipe(mtcnn_values | {"data": ["crops", "/more"]}, "test")))
    recipe = read_recipe(file)
    assert recipe.data == (tmp_path / "crops", Path("/more"))
    file.write_text(dump_recipe(recipe))
    assert read_recipe(file) == recipe


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"net": "q-net"}, "net: "),
        ({"net": "r-net"}, "crops of 12 px, r-net takes 24"),
        ({"data": "nowhere"}, "nowhere: no such folder"),
        ({"data": []}, "data"),
        ({"validation": "nowhere"}, "nowhere"),
        ({"held_out": 1.5}, "held_out"),
        ({"held_out": 80}, "held_out: 80 leaves none of the 80 negative crops"),
        ({"mix": {"negative": 0}}, "mix.negative"),
        ({"mix": {"faces": 1}}, "mix.faces: no such key"),
        ({"hard_examples": 0}, "hard_examples"),
        ({"weights": {"box": 1}}, "did you mean 'boxes'"),
        ({"batch": 5000}, "batch: 5000"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_any_folder_is_made(
    mtcnn_values: dict, tmp_path: Path, change: dict, words: str
) -> None:
    with pytest.raises(LigeraError, match=words) as caught:
        start(parse_recipe(mtcnn_values | change, "test"), tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_crops_of_one_side_alone_are_refused(kind: str, mtcnn_values: dict, tmp_path: Path) -> None:
    crops = made_crops(5)
    write_crops(tmp_path, 0, crops.take(crops.kinds != KINDS.index(kind)))
    with pytest.raises(LigeraError, match=f"no {kind} crop"):
        MtcnnTask(parse_recipe(mtcnn_values | {"validation": str(tmp_path)}, "test"))
    with pytest.raises(LigeraError, match=f"no {kind} crop"):
        MtcnnTask(parse_recipe(mtcnn_values | {"data": str(tmp_path)}, "test"))


def test_without_landmark_or_part_crops_it_still_learns(mtcnn_values: dict, tmp_path: Path) -> None:
    crops = made_crops(20)
    write_crops(tmp_path / "crops", 0, crops.take(crops.kinds < 2))
    result = start(parse_recipe(mtcnn_values | {"data": str(tmp_path / "crops"), "epochs": 1}, "test"), tmp_path)
    assert "landmark_distance" not in result.metrics
    assert result.metrics["ap"] > 0


@pytest.mark.parametrize("net", ["p", "r", "o"])
def test_the_recipes_that_come_along_read(net: str) -> None:
    recipe = read_recipe(Path(__file__).parents[3] / "recipes" / f"mtcnn-{net}.yaml")
    assert (recipe.task, recipe.net) == ("mtcnn", f"{net}-net")


def test_another_models_name_is_refused(mtcnn_values: dict) -> None:
    with pytest.raises(RecipeError, match="model"):
        parse_recipe(mtcnn_values | {"model": "face"}, "test")
