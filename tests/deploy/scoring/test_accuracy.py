"""A classifier over labelled pictures gets the score that can be worked out by hand, or an error that says why not."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.detector import Detector
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.deploy.scoring.accuracy import evaluate_classifier
from ligera.deploy.scoring.faces import evaluate
from ligera.errors import DataError, UsageError
from ligera.records import Preprocess

from ..colour_sets import COLOURS, colours_card, plain, write_class_folders, write_plain


@pytest.fixture
def classifier(classifier_bundle: Path) -> Iterator[Classifier]:
    with Classifier.load(classifier_bundle, threads=1) as loaded:
        yield loaded


def write_cifar(folder: Path, labels: list[str], names: list[str]) -> Path:
    """CIFAR-10's batches with one test picture for each of ``labels``, of that colour."""
    folder.mkdir(parents=True)
    rows = np.stack([plain(label, 32, 32).transpose(2, 0, 1).reshape(-1) for label in labels])
    batch = {b"data": rows, b"labels": [names.index(label) for label in labels]}
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [name.encode() for name in names]}, protocol=2))
    return folder


def test_accuracy_and_mistakes_are_those_counted_by_hand(classifier: Classifier, tmp_path: Path) -> None:
    scores = evaluate_classifier(classifier, write_class_folders(tmp_path))
    assert (scores.result.accuracy, scores.result.pictures) == (pytest.approx(5 / 6), 6)
    # one picture in the folder "blue" is red
    assert scores.result.confusion.tolist() == [[2, 0, 0], [0, 2, 0], [1, 0, 1]]
    assert scores.result.low < 5 / 6 < scores.result.high
    assert scores.names == ("red", "green", "blue")


def test_the_protocol_names_the_input_and_json_has_no_nan(classifier: Classifier, tmp_path: Path) -> None:
    plain_values = evaluate_classifier(classifier, write_class_folders(tmp_path)).as_dict()
    assert "input 16 x 16 px, middle square" in plain_values["protocol"]
    assert json.loads(json.dumps(plain_values, allow_nan=False)) == plain_values
    assert [part["name"] for part in plain_values["classes"]] == list(COLOURS)


def test_cifars_test_pictures_are_scored_whatever_the_order_of_its_names(
    classifier: Classifier, tmp_path: Path
) -> None:
    folder = write_cifar(tmp_path / "cifar-10-batches-py", ["blue", "blue", "red", "green"], ["blue", "green", "red"])
    for place in (folder, tmp_path):
        scores = evaluate_classifier(classifier, place)
        assert (scores.result.accuracy, scores.result.support.tolist()) == (1.0, [1, 1, 2])
        assert "test pictures" in scores.protocol


@pytest.mark.parametrize(
    ("parts", "scored"), [(("train", "val", "test"), "test pictures"), (("train", "valid"), "validation pictures")]
)
def test_of_data_in_parts_the_pictures_for_testing_are_scored(
    classifier: Classifier, tmp_path: Path, parts: tuple[str, ...], scored: str
) -> None:
    for part in parts[:-1]:
        write_class_folders(tmp_path / part)
    for colour in COLOURS:
        write_plain(tmp_path / parts[-1] / colour / "a.png", colour)
    scores = evaluate_classifier(classifier, tmp_path)
    assert (scores.result.accuracy, scores.result.pictures) == (1.0, 3)
    assert scored in scores.protocol


def test_pictures_for_training_are_not_scored_unasked(classifier: Classifier, tmp_path: Path) -> None:
    write_class_folders(tmp_path / "train")
    with pytest.raises(DataError, match=r"holds only pictures for training; to be scored on them, give .*train"):
        evaluate_classifier(classifier, tmp_path)
    assert evaluate_classifier(classifier, tmp_path / "train").result.pictures == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda folder: (folder / "green").rename(folder / "grün"),
            r"only the data has 'grün'; only the model has 'green'",
        ),
        (lambda folder: write_plain(folder / "black" / "a.png", "red"), r"only the data has 'black'; rename"),
        (lambda folder: [file.unlink() for file in (folder / "red").iterdir()], r"red: is a class without pictures"),
        (lambda folder: (folder / "red" / "notes.txt").write_text("?"), r"notes\.txt: is no picture by its name"),
    ],
)
def test_classes_that_are_not_those_of_the_model_are_named(
    classifier: Classifier, tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    change(write_class_folders(tmp_path))
    with pytest.raises(DataError, match=words) as raised:
        evaluate_classifier(classifier, tmp_path)
    assert "\n" not in str(raised.value)


def test_of_many_classes_that_differ_five_are_named(tmp_path: Path) -> None:
    labels = tuple(f"class {number}" for number in range(9))
    classifier = Classifier(MockRuntime(lambda _: {}), colours_card(labels=labels))
    with pytest.raises(DataError, match=r"only the model has 'class 0', .*'class 4', and 4 more"):
        evaluate_classifier(classifier, write_class_folders(tmp_path))


def test_broken_pictures_are_all_named_instead_of_a_score(classifier: Classifier, tmp_path: Path) -> None:
    write_class_folders(tmp_path)
    for name in ("red/a.png", "blue/b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"2 of 6 pictures cannot be read: .*blue.b\.png.*; .*red.a\.png") as raised:
        evaluate_classifier(classifier, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_path_that_is_no_folder_of_classes_says_so(classifier: Classifier, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path, write_plain(tmp_path / "a.png", "red")):
        with pytest.raises(DataError, match=path.name):
            evaluate_classifier(classifier, path)


def test_progress_may_follow_every_picture(classifier: Classifier, tmp_path: Path) -> None:
    seen: list[int] = []

    def watch(rows: Iterable[int], count: int) -> Iterator[int]:
        assert count == 6
        for row in rows:
            yield row
            seen.append(row)

    evaluate_classifier(classifier, write_class_folders(tmp_path), watch=watch)
    assert seen == list(range(6))


@pytest.mark.parametrize(("side_px", "batches"), [(16, [6]), (2048, [1] * 6)])
def test_large_inputs_go_through_the_network_in_smaller_batches(
    tmp_path: Path, side_px: int, batches: list[int]
) -> None:
    seen: list[int] = []

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(len(batch))
        return {"logits": np.zeros((len(batch), 3), np.float32)}

    rule = Preprocess(multiple=1, fixed=(side_px, side_px), crop=True)
    evaluate_classifier(Classifier(MockRuntime(answer), colours_card(preprocess=rule)), write_class_folders(tmp_path))
    assert seen == batches


def test_a_detector_has_no_accuracy_and_finds_no_faces_in_class_folders(bundle: Path, tmp_path: Path) -> None:
    with Detector.load(bundle, threads=1) as detector:
        with pytest.raises(UsageError, match="--protocol accuracy is for classifiers; spots finds faces"):
            evaluate(detector, tmp_path, protocol="accuracy")
        with pytest.raises(UsageError, match="holds folders data, without labelled faces"):
            evaluate(detector, write_class_folders(tmp_path))
