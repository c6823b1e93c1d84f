"""A classification run becomes a bundle that says its classes, or an error that names what is wrong with the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.export.checkpoints import export_run, load_run
from ligera.errors import DataError, ModelError, UsageError
from ligera.train.checkpoint import save_checkpoint

from .run_folders import CLASS_CARD, classifier_state, write_classifier_run


def write_card(run: Path, **changes: Any) -> Path:
    (run / "card.json").write_text(json.dumps(CLASS_CARD | changes))
    return run


def test_a_classification_run_gives_its_network_and_a_card_with_its_classes(tmp_path: Path) -> None:
    trained = load_run(write_classifier_run(tmp_path), licence="CC0-1.0")
    own, saved = trained.network.state_dict(), classifier_state(1)
    assert all(torch.equal(own[name], saved[name]) for name in saved)
    assert trained.finished and not trained.network.training
    card = trained.card
    assert (card.name, card.task, card.decoding, card.licence) == ("pets", "classify", None, "CC0-1.0")
    assert card.labels == ("cat", "dog", "Ünicorn")


def test_the_card_says_how_pictures_were_prepared_in_training(tmp_path: Path) -> None:
    rule = load_run(write_classifier_run(tmp_path)).card.preprocess
    assert (rule.fixed, rule.crop, rule.multiple, rule.mean) == ((32, 32), True, 1, (125.3, 123.0, 113.9))
    assert rule.scale == pytest.approx((1 / 63.0, 1 / 62.1, 1 / 66.7))


def test_the_card_names_data_and_scores_without_where_the_data_is_kept(tmp_path: Path) -> None:
    card = load_run(write_classifier_run(tmp_path)).card
    assert card.training_data == "sets/pets"
    assert card.scores == {
        "accuracy on sets/pets (validation)": 0.9123,
        "accuracy on sets/pets (test)": 0.9,
    }
    assert "/home" not in card.to_json()
    fewer = load_run(write_classifier_run(tmp_path / "fewer", training_pictures=1500)).card
    assert fewer.training_data == "sets/pets (1,500 pictures)"


def test_an_unfinished_run_is_exported_as_its_last_checkpoint_stands(tmp_path: Path) -> None:
    run = write_classifier_run(tmp_path)
    (run / "weights.safetensors").unlink()
    state = {"network": classifier_state(2), "average": classifier_state(3), "history": [{"accuracy": 0.5}]}
    save_checkpoint(run, state | {"progress": {"epoch": 1, "step": 0, "total": 10}})
    trained = load_run(run)
    assert not trained.finished
    assert torch.equal(trained.network.state_dict()["head.weight"], classifier_state(3)["head.weight"])
    assert trained.card.scores == {"accuracy on sets/pets (validation)": 0.5}


def test_an_exported_run_classifies_as_its_network_does(tmp_path: Path) -> None:
    run, out = write_classifier_run(tmp_path / "run"), tmp_path / "pets.onnx"
    report = export_run(run, out)
    assert report.difference <= 1e-4
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    normal = (pixels - np.array(CLASS_CARD["mean"])) / np.array(CLASS_CARD["std"])
    with torch.no_grad():
        logits = load_run(run).network(torch.tensor(normal.transpose(2, 0, 1)[None], dtype=torch.float32))
    expected = torch.softmax(logits, 1)[0].numpy()
    with Classifier.load(out, threads=1) as classifier:
        scores = classifier.classify(pixels).scores
    np.testing.assert_allclose([scores[name] for name in classifier.labels], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": "cat"}, "labels: expected a list of names"),
        ({"labels": ["cat", 7, "dog"]}, "labels: expected a list of names"),
        ({"side_px": "32"}, "side_px: expected a whole number"),
        ({"side_px": 0}, "side_px: expected a whole number"),
        ({"mean": [1, 2]}, "mean: expected a number for each"),
        ({"mean": [1, 2, None]}, "mean: expected a number for each"),
        ({"std": [60, 0, 60]}, "std: expected a number for each"),
        ({"std": [60, float("nan"), 60]}, "std: expected a number for each"),
    ],
)
def test_a_class_card_with_a_wrong_value_is_named_with_it(tmp_path: Path, changes: dict, reason: str) -> None:
    with pytest.raises(DataError, match=rf"card\.json: damaged \({reason}") as raised:
        load_run(write_card(write_classifier_run(tmp_path), **changes))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '{"labels": []}', "[" * 100_000, "\xff"])
def test_a_damaged_class_card_is_named(tmp_path: Path, text: str) -> None:
    run = write_classifier_run(tmp_path)
    (run / "card.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"card\.json: damaged") as raised:
        load_run(run)
    assert "\n" not in str(raised.value)


def test_a_run_without_its_class_card_says_what_it_is_for(tmp_path: Path) -> None:
    run = write_classifier_run(tmp_path)
    (run / "card.json").unlink()
    with pytest.raises(DataError, match=r"card\.json: cannot be read \(no such file.*names the classes"):
        load_run(run)


def test_a_class_card_of_another_run_is_refused_by_the_weights(tmp_path: Path) -> None:
    run = write_card(write_classifier_run(tmp_path), labels=["cat", "dog", "cow", "hen"])
    with pytest.raises(ModelError, match=r"weights are not those of conv14: 2 of \d+ tensors differ, head"):
        load_run(run)


@pytest.mark.parametrize("labels", [["cat", "cat", "dog"], ["cat", "", "dog"]])
def test_labels_that_cannot_be_told_apart_are_refused(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(UsageError, match="card cannot be written: labels: expected"):
        load_run(write_card(write_classifier_run(tmp_path), labels=labels))


def test_one_class_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="classes: expected a whole number of 2 or more"):
        load_run(write_card(write_classifier_run(tmp_path), labels=["cat"]))
