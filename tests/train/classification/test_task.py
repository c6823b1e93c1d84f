"""Classification through the one loop: it learns, is judged apart, survives a stop, and says what is wrong first."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from ligera.errors import DataError, LigeraError, RecipeError
from ligera.train.classification.task import ClassificationTask
from ligera.train.reading import parse_recipe
from ligera.train.run import resume, start

SAMPLERS = ("full", "static", "dynamic", {"kind": "dynamic", "design": "variant"}, "rs2", "infobatch")


def test_it_learns_to_tell_two_classes_apart_and_leaves_a_whole_run_folder(
    classifier_values: dict, tmp_path: Path
) -> None:
    changes = {"epochs": 6, "ema_decay": 0.5, "learning_rate": 0.003}
    result = start(parse_recipe(classifier_values | changes, "test"), tmp_path)
    assert result.metrics["accuracy"] > 0.9
    files = {path.name for path in result.folder.iterdir()}
    assert {"card.json", "cost.json", "curves.png", "history.jsonl", "result.json", "weights.safetensors"} <= files
    card = json.loads((result.folder / "card.json").read_text())
    assert (card["task"], card["labels"], card["side_px"]) == ("classify", ["above", "below"], 16)
    assert all(0 < value < 255 for value in card["mean"] + card["std"])


def test_held_out_pictures_are_never_trained_on(classifier_values: dict) -> None:
    task = ClassificationTask(parse_recipe(classifier_values, "test"))
    assert len(task.validation) == 12
    assert len(task.training) == 36
    assert not set(task.training.paths) & set(task.validation.paths)


def test_a_part_of_the_training_pictures_keeps_the_classes_even(classifier_values: dict) -> None:
    task = ClassificationTask(parse_recipe(classifier_values | {"training_pictures": 20}, "test"))
    assert np.bincount(task.training.labels).tolist() == [10, 10]


def test_a_validation_folder_and_a_test_folder_are_used_as_such(class_folders: Path, tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        (tmp_path / "data" / part).parent.mkdir(exist_ok=True)
        (tmp_path / "data" / part).symlink_to(class_folders)
    values = {"name": "a", "task": "classification", "model": "conv14", "data": str(tmp_path / "data"), "side_px": 16}
    result = start(parse_recipe(values | {"epochs": 1, "batch": 8, "threads": 1}, "test"), tmp_path / "runs")
    assert result.metrics["test_accuracy"] == result.metrics["accuracy"]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_run_stopped_mid_epoch_ends_in_the_same_weights_under_every_sampler(
    classifier_values: dict, tmp_path: Path, sampler
) -> None:
    values = classifier_values | {"epochs": 3, "sampler": sampler, "checkpoint_every_steps": 1, "batch": 4}
    recipe = parse_recipe(values, "test")
    whole = start(recipe, tmp_path / "whole").folder

    class Stopped(Exception):
        pass

    def stop(row: dict) -> None:
        if row.get("epoch") == 1 and row.get("step") == 2:
            raise Stopped

    with pytest.raises(Stopped):
        start(recipe, tmp_path / "stopped", stop)
    again = resume(tmp_path / "stopped" / "train" / "halves").folder
    one, other = load_file(whole / "weights.safetensors"), load_file(again / "weights.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)
    first, second = ((folder / "history.jsonl").read_text().splitlines() for folder in (whole, again))
    for left, right in zip(map(json.loads, first), map(json.loads, second), strict=True):
        assert (left["loss_entropy"], left["pictures"]) == (right["loss_entropy"], right["pictures"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "conv41"}, "conv14"),
        ({"side_px": None}, "side_px"),
        ({"held_out": 48}, "48"),
        ({"held_out": 2.5}, "whole number"),
        ({"training_pictures": 37}, "36"),
        ({"batch": 37}, "batch: 37"),
        ({"sampler": {"kind": "static", "alpha": 37}}, "sampler.alpha: 37"),
        ({"sampler": {"kind": "dynamic", "beta": 1.5}}, "beta"),
        ({"sampler": "dynamic", "evaluate_every": 2}, "evaluate_every"),
        ({"sampler": {"kind": "static", "alpha": 0.1}}, "batch: 6"),
        ({"data": "nowhere"}, "nowhere"),
        ({"pretrained": "nowhere.safetensors"}, "nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_any_folder_is_made(
    classifier_values: dict, tmp_path: Path, change: dict, words: str
) -> None:
    with pytest.raises(LigeraError, match=words) as caught:
        start(parse_recipe(classifier_values | change, "test"), tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_an_empty_class_is_refused_before_training(
    class_folders: Path, classifier_values: dict, tmp_path: Path
) -> None:
    for folder in class_folders.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="nothing"):
        ClassificationTask(parse_recipe(classifier_values | {"data": str(tmp_path)}, "test"))


def test_an_unreadable_picture_is_refused_before_training(classifier_values: dict, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "good.png"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "b" / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"bad\.png"):
        ClassificationTask(parse_recipe(classifier_values | {"data": str(tmp_path)}, "test"))


def test_cifar_takes_no_other_side(classifier_values: dict) -> None:
    with pytest.raises(RecipeError, match="32 px"):
        ClassificationTask(parse_recipe(classifier_values | {"format": "cifar10"}, "test"))


def test_two_processes_lose_the_same_as_one_under_infobatch(classifier_values: dict, tmp_path: Path) -> None:
    """Tolerance 2 % of each epoch's loss, as for faces; what is pruned follows losses gathered over processes.

    Pictures of 32 px and small steps, since statistics over a handful of values blow rounding errors up tenfold a step.
    """
    changes = {"epochs": 3, "batch": 12, "side_px": 32, "learning_rate": 0.0003}
    values = classifier_values | changes | {"sampler": {"kind": "infobatch", "anneal": 0.0}}
    recipe = tmp_path / "halves.yaml"
    recipe.write_text(yaml.safe_dump(values))
    rows = {}
    for processes in (1, 2):
        runs = tmp_path / f"with-{processes}"
        launch = ("-m", "torch.distributed.run", f"--nproc_per_node={processes}", "--standalone", "-m", "ligera.cli")
        command = [sys.executable, *launch, "train", str(recipe), "--runs", str(runs)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        text = (runs / "train" / "halves" / "history.jsonl").read_text()
        rows[processes] = [json.loads(line) for line in text.splitlines()]
    for one, two in zip(rows[1], rows[2], strict=True):
        assert two["pictures"] == one["pictures"]
        assert two["loss_entropy"] == pytest.approx(one["loss_entropy"], rel=0.02)
    assert min(row["pictures"] for row in rows[1]) < 36
