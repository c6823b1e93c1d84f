"""The classifier that users hold: any source, any size, one kind of answer, the one that torch gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import ligera
from ligera.data.folders import centre_square, read_folders
from ligera.deploy.classifying.classifier import Classifier, softmax
from ligera.deploy.detector import Detector
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.errors import ModelError, PictureError, UsageError
from ligera.models.preprocess import prepare
from ligera.records import Picture, Preprocess

from ..colour_sets import COLOURS, SIDE_PX, ColourOf, colours_card, plain, write_class_folders, write_plain


@pytest.fixture
def classifier(classifier_bundle: Path) -> Iterator[Classifier]:
    with Classifier.load(classifier_bundle, threads=1) as loaded:
        yield loaded


def answering(logits: Callable[[int], object], rule: Preprocess | None = None) -> tuple[Classifier, MockRuntime]:
    """A classifier of three colours whose network answers a batch of N with ``logits(N)``."""
    runtime = MockRuntime(lambda batch: {"logits": logits(len(batch))})  # type: ignore[dict-item]
    changes = {} if rule is None else {"preprocess": rule}
    return Classifier(runtime, colours_card(**changes)), runtime


@pytest.mark.parametrize("colour", COLOURS)
def test_a_picture_is_said_to_be_of_its_class(classifier: Classifier, colour: str) -> None:
    found = classifier.classify(plain(colour))
    assert found.label == colour
    assert found.score > 0.9
    assert found.score == found.scores[colour] == max(found.scores.values())
    assert set(found.scores) == set(COLOURS)


def test_scores_come_best_first_and_add_up_to_one(classifier: Classifier) -> None:
    scores = list(classifier.classify(plain("green")).scores.values())
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)


def test_array_picture_and_path_give_the_same(classifier: Classifier, tmp_path: Path) -> None:
    path = write_plain(tmp_path / "a.png", "blue", 50, 30)
    pixels = plain("blue", 50, 30)
    answers = [classifier.classify(source) for source in (pixels, Picture(pixels), path, str(path))]
    assert all(answer == answers[0] for answer in answers)


def test_scores_are_those_of_torch_to_four_digits_in_any_batch(classifier: Classifier) -> None:
    pixels = [np.random.default_rng(i).integers(0, 256, (20 + i, 50, 3), np.uint8) for i in range(5)]
    rule = colours_card().preprocess
    inputs = np.concatenate([prepare(centre_square(picture, SIDE_PX), rule)[0] for picture in pixels])
    with torch.no_grad():
        expected = torch.softmax(ColourOf()(torch.from_numpy(inputs)), 1).numpy()
    for batch in (1, 2, 32):
        answers = list(classifier.classify_many(pixels, batch))
        ours = [[answer.scores[label] for label in COLOURS] for answer in answers]
        np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_a_picture_is_cut_and_resized_as_in_training(classifier: Classifier, tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    trained_on = read_folders(folder, SIDE_PX)
    assert trained_on.paths is not None
    from_files = list(classifier.logits(map(Path, trained_on.paths)))
    from_memory = list(classifier.logits(trained_on.pictures))
    np.testing.assert_array_equal(from_files, from_memory)


def test_only_the_middle_square_of_a_wide_picture_counts(classifier: Classifier) -> None:
    wide = np.concatenate([plain("red"), plain("blue"), plain("red")], axis=1)
    assert classifier.classify(wide).label == "blue"


def test_without_a_crop_the_whole_picture_is_stretched() -> None:
    classifier, runtime = answering(lambda count: np.zeros((count, 3), np.float32), Preprocess(fixed=(32, 64)))
    classifier.classify(np.zeros((10, 300, 3), np.uint8))
    assert runtime.batches[0].shape == (1, 3, 32, 64)


def test_pictures_go_through_the_network_in_batches_and_are_read_as_they_are_needed() -> None:
    classifier, runtime = answering(lambda count: np.zeros((count, 3), np.float32))
    taken: list[int] = []

    def sources() -> Iterator[np.ndarray]:
        for number in range(7):
            taken.append(number)
            yield plain("red")

    answers = classifier.classify_many(sources(), batch=3)
    next(answers)
    assert len(taken) == 3
    assert len(list(answers)) == 6
    assert [len(batch) for batch in runtime.batches] == [3, 3, 1]


def test_no_pictures_give_no_answers(classifier: Classifier) -> None:
    assert list(classifier.classify_many([])) == []


@pytest.mark.parametrize("batch", [0, -1, 10**9])
def test_a_batch_out_of_range_is_named_at_once(classifier: Classifier, batch: int) -> None:
    with pytest.raises(UsageError, match="batch: expected 1 to"):
        classifier.classify_many([], batch=batch)


def test_equal_scores_go_to_the_first_label_and_huge_logits_do_not_overflow() -> None:
    classifier, _ = answering(lambda count: np.array([[3e38, 3e38, -3e38]] * count, np.float32))
    found = classifier.classify(plain("blue"))
    assert (found.label, found.score) == ("red", 0.5)


def test_softmax_is_that_of_torch_however_far_apart_the_logits_are() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0], [0.1, 0.2, 0.3], [-500, -501, -499]], np.float32)
    np.testing.assert_allclose(softmax(logits), torch.softmax(torch.from_numpy(logits), 1).numpy(), atol=1e-7)


def test_a_row_gives_as_many_scores_as_asked_for(classifier: Classifier) -> None:
    row = classifier.classify(plain("green")).row(top=2)
    assert (row["label"], next(iter(row["scores"])), len(row["scores"])) == ("green", "green", 2)
    assert row["score"] == row["scores"]["green"]


@pytest.mark.parametrize(
    "logits",
    [
        lambda count: np.zeros((count, 4), np.float32),
        lambda count: np.zeros((count + 1, 3), np.float32),
        lambda count: np.zeros((count, 3), np.int64),
        lambda count: np.full((count, 3), np.nan, np.float32),
        lambda count: [[0.0] * 3] * count,
        lambda _count: None,
    ],
)
def test_outputs_that_are_not_what_the_card_says_are_an_error_and_no_class(logits: Callable[[int], object]) -> None:
    classifier, _ = answering(logits)
    with pytest.raises(ModelError, match="colours: outputs are not what its card says") as raised:
        classifier.classify(plain("red"))
    assert "\n" not in str(raised.value)


def test_an_array_or_file_that_is_no_picture_is_refused(classifier: Classifier, tmp_path: Path) -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="pixels: expected"):
            classifier.classify(wrong)
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(PictureError, match=r"a\.jpg"):
        classifier.classify(tmp_path / "a.jpg")


def test_load_at_the_top_of_the_package_gives_what_the_file_was_made_for(bundle: Path, classifier_bundle: Path) -> None:
    classifier = ligera.load(str(classifier_bundle), threads=1)
    assert isinstance(classifier, Classifier)
    assert classifier.classify(plain("red")).label == "red"
    assert isinstance(ligera.load(str(bundle), threads=1), Detector)
    assert isinstance(ligera.load("haar"), Detector)


def test_a_model_for_another_task_is_told_with_the_verb_that_runs_it(bundle: Path, classifier_bundle: Path) -> None:
    with pytest.raises(ModelError, match=r"spots\.onnx: is a face detector, which runs with `ligera detect`"):
        Classifier.load(bundle)
    with pytest.raises(ModelError, match=r"colours\.onnx: is a classifier, which runs with `ligera classify`"):
        Detector.load(classifier_bundle)
    with pytest.raises(ModelError, match=r"yunet:face\.onnx: is a detector, which runs with `ligera detect`"):
        Classifier.load("yunet:face.onnx")


def test_leaving_a_with_block_closes_the_network() -> None:
    classifier, runtime = answering(lambda count: np.zeros((count, 3), np.float32))
    with classifier:
        classifier.classify(plain("red"))
    assert runtime.closed
