"""A run on disk becomes a network with a card, whatever state the run is in, or an error that says what is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from ligera.deploy.detector import Detector
from ligera.deploy.export.checkpoints import export_run, load_run
from ligera.errors import DataError, ModelError, UsageError
from ligera.train.faces.task import card_for

from ..conftest import spots
from .run_folders import random_state, write_finished_run, write_recipe, write_unfinished_run


def same(network: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    own = network.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[name], state[name]) for name in state)


def test_a_finished_run_gives_its_last_weights_ready_to_detect(tmp_path: Path) -> None:
    trained = load_run(write_finished_run(tmp_path))
    assert trained.finished and trained.source == tmp_path / "weights.safetensors"
    assert same(trained.network, random_state(1))
    assert not trained.network.training


def test_an_unfinished_run_gives_the_moving_average_of_its_checkpoint(tmp_path: Path) -> None:
    trained = load_run(write_unfinished_run(tmp_path))
    assert not trained.finished and trained.source == tmp_path / "checkpoint.pt"
    assert same(trained.network, random_state(3))


def test_either_file_of_a_run_may_be_named(tmp_path: Path) -> None:
    write_unfinished_run(tmp_path)
    write_finished_run(tmp_path)
    assert same(load_run(tmp_path).network, random_state(1))
    assert same(load_run(tmp_path / "checkpoint.pt").network, random_state(3))


def test_the_card_says_how_the_net_is_fed_and_read_and_where_it_comes_from(tmp_path: Path) -> None:
    card = load_run(write_finished_run(tmp_path), licence="CC0-1.0").card
    assert (card.preprocess, card.decoding) == card_for("face-small")
    assert (card.name, card.licence, card.precision) == ("tiny", "CC0-1.0", "fp32")
    assert card.recipe_sha256 == hashlib.sha256((tmp_path / "recipe.yaml").read_bytes()).hexdigest()


def test_the_card_names_the_data_without_where_its_owner_keeps_it(tmp_path: Path) -> None:
    card = load_run(write_finished_run(tmp_path)).card
    assert card.training_data == "faces/train (label.txt), someone/people (teacher.txt)"
    assert "/home" not in card.to_json()


def test_name_and_data_may_be_said_in_other_words(tmp_path: Path) -> None:
    card = load_run(write_finished_run(tmp_path), name="mine", training_data="my own pictures").card
    assert (card.name, card.training_data) == ("mine", "my own pictures")


def test_scores_go_into_the_card_with_their_data_and_protocol_and_without_unknown_ones(tmp_path: Path) -> None:
    assert load_run(write_finished_run(tmp_path)).card.scores == {
        "AP50 on faces/val (native size, single scale)": 0.6123,
        "AP50 masks on faces/val (native size, single scale)": 0.7,
    }


def test_a_checkpoint_has_scores_only_where_they_are_of_the_same_weights(tmp_path: Path) -> None:
    assert len(load_run(write_unfinished_run(tmp_path / "at-its-end")).card.scores) == 2
    assert load_run(write_unfinished_run(tmp_path / "within", step=3)).card.scores == {}
    assert load_run(write_unfinished_run(tmp_path / "first", history=[])).card.scores == {}


def test_weights_that_stand_alone_need_a_recipe(tmp_path: Path) -> None:
    run = write_finished_run(tmp_path / "run")
    alone = tmp_path / "alone.safetensors"
    (run / "weights.safetensors").rename(alone)
    with pytest.raises(DataError, match=r"recipe\.yaml: no such recipe.*--recipe"):
        load_run(alone)
    trained = load_run(alone, recipe=run / "recipe.yaml")
    assert same(trained.network, random_state(1))
    assert trained.card.scores == {}


def test_weights_of_another_net_are_refused_with_the_first_that_differs(tmp_path: Path) -> None:
    write_finished_run(tmp_path)
    write_recipe(tmp_path, model="face")
    with pytest.raises(ModelError, match=r"weights are not those of face: \d+ of \d+ tensors differ, \S+ first"):
        load_run(tmp_path)


@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoint.pt", "result.json", "recipe.yaml"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    if name == "checkpoint.pt":
        write_unfinished_run(tmp_path)
    else:
        write_finished_run(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"{" + content[: len(content) // 2])
    with pytest.raises((DataError, UsageError), match=name) as raised:
        load_run(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    write_recipe(tmp_path)
    torch.save({"weights": torch.zeros(3)}, tmp_path / "checkpoint.pt")
    with pytest.raises(DataError, match=r"checkpoint\.pt: not a checkpoint of a training run"):
        load_run(tmp_path)


def test_what_is_no_run_is_said_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such run; expected a folder such as runs/train/NAME"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds neither weights\.safetensors nor checkpoint\.pt"):
        load_run(tmp_path)
    with pytest.raises(DataError, match="not a file with weights"):
        load_run(write_recipe(tmp_path))


def test_a_name_that_cannot_be_printed_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected printable text"):
        load_run(write_finished_run(tmp_path), name="a\nb")


def test_a_bundle_goes_to_a_file_that_detection_takes_for_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a file ending in \.onnx"):
        export_run(write_finished_run(tmp_path / "run"), tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_an_exported_run_detects(tmp_path: Path) -> None:
    report = export_run(write_finished_run(tmp_path / "run"), tmp_path / "tiny.onnx")
    assert report.difference <= 1e-4
    assert report.size_bytes == (tmp_path / "tiny.onnx").stat().st_size
    with Detector.load(tmp_path / "tiny.onnx", threads=1) as detector:
        assert detector.name == "tiny"
        assert detector.detect(spots(128, 96, (1, 1)), score=0.0).boxes.shape[1] == 4
