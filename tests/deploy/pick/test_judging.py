"""Judges: the same scores as ``eval``, on any part of the pictures, and the same redrawn pictures for every model."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.detector import Detector
from ligera.deploy.pick.judging import Judge, open_judge
from ligera.deploy.pick.judging.faces import redrawn_ap
from ligera.deploy.scoring.faces import evaluate
from ligera.errors import DataError, ModelError, UsageError
from ligera.metrics.average_precision import average_precision, average_precision_interval
from ligera.records import Detections, Targets

from ..colour_sets import write_class_folders
from ..spot_sets import write_label_set, write_wider_set


def weigh(judge: Judge, said: dict) -> tuple[float, np.ndarray]:
    """The score of answers that have been written to a file and read again."""
    return judge.weigh({int(row): judge.gist(int(row), say) for row, say in json.loads(json.dumps(said)).items()})


@pytest.fixture
def detector(bundle: Path) -> Iterator[Detector]:
    with Detector.load(bundle, threads=1) as opened:
        yield opened


def test_faces_are_scored_as_eval_scores_them(detector: Detector, tmp_path: Path) -> None:
    data = write_label_set(tmp_path)
    judge = open_judge("faces", data)
    said = dict(enumerate(judge.look(detector, [0, 1], None)))
    expected = evaluate(detector, data)
    assert weigh(judge, said)[0] == pytest.approx(expected.overall.ap50)
    assert judge.groups(said) == {name: part.ap50 for name, part in expected.sizes.items()}
    assert judge.metric == "AP50" and len(judge) == 2 and judge.longest_px == 128


def test_part_of_the_pictures_is_scored_by_itself(detector: Detector, tmp_path: Path) -> None:
    judge = open_judge("faces", write_label_set(tmp_path))
    (said,) = judge.look(detector, [0], None)
    assert weigh(judge, {0: said})[0] == 1.0


def random_pictures(count: int) -> list[tuple[Detections, Targets]]:
    random = np.random.default_rng(3)
    pairs = []
    for _ in range(count):
        corner = random.uniform(0, 200, (6, 2))
        faces = np.concatenate([corner, corner + random.uniform(10, 60, (6, 2))], axis=1)
        moved = np.concatenate([faces + random.normal(0, 6, (6, 4)), faces[::-1] + 300])
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2])
        pairs.append((Detections(moved, random.choice([0.2, 0.4, 0.6, 0.8], 12)), Targets(faces)))
    return pairs


def test_redrawn_scores_are_those_of_the_metric_on_pictures_that_occur_as_often() -> None:
    from ligera.metrics.average_precision import judge

    pairs = random_pictures(7)
    judged = [judge([pair]) for pair in pairs]
    times = np.random.default_rng(0).multinomial(7, np.full(7, 1 / 7), size=5)
    found = redrawn_ap([s for s, _ in judged], [r for _, r in judged], times, np.array([6] * 7))
    for own, expected in zip(found, times, strict=True):
        again = [pair for pair, count in zip(pairs, expected, strict=True) for _ in range(count)]
        assert own == pytest.approx(average_precision(again).ap)


def test_intervals_are_about_those_of_the_metric() -> None:
    from ligera.deploy.pick.judging import redraws
    from ligera.metrics.average_precision import judge

    pairs = random_pictures(30)
    judged = [judge([pair]) for pair in pairs]
    found = redrawn_ap([s for s, _ in judged], [r for _, r in judged], redraws(30, 400), np.array([6] * 30))
    expected = average_precision_interval(pairs, rounds=400)
    assert np.quantile(found, [0.025, 0.975]) == pytest.approx([expected.low, expected.high], abs=0.02)


def test_a_set_redrawn_without_a_face_has_no_score() -> None:
    found = redrawn_ap([np.zeros(0)], [np.zeros(0, bool)], np.array([[1]]), np.array([0]))
    assert np.isnan(found).all()


def test_wider_face_is_judged_by_its_hard_setting(detector: Detector, tmp_path: Path) -> None:
    data = write_wider_set(tmp_path)
    judge = open_judge("faces", data)
    said = dict(enumerate(judge.look(detector, range(2), None)))
    expected = evaluate(detector, data)
    value, redrawn = weigh(judge, said)
    assert judge.metric == "AP hard" and value == pytest.approx(expected.hard)
    assert judge.groups(said)["easy"] == pytest.approx(expected.easy) and len(redrawn) >= 40
    assert open_judge("faces", data, "ap50").metric == "AP50"


def test_classifiers_are_judged_by_accuracy(classifier_bundle: Path, tmp_path: Path) -> None:
    judge = open_judge("classify", write_class_folders(tmp_path))
    with Classifier.load(classifier_bundle, threads=1) as classifier:
        said = dict(enumerate(judge.look(classifier, range(len(judge)), None)))
    value, redrawn = weigh(judge, said)
    assert value == pytest.approx(5 / 6) and redrawn.mean() == pytest.approx(5 / 6, abs=0.05)
    assert judge.groups(said) == {"blue": 0.5, "green": 1.0, "red": 1.0}


def test_a_classifier_of_other_classes_is_not_judged(classifier_bundle: Path, tmp_path: Path) -> None:
    write_class_folders(tmp_path)
    (tmp_path / "blue").rename(tmp_path / "black")
    judge = open_judge("classify", tmp_path)
    with (
        Classifier.load(classifier_bundle, threads=1) as classifier,
        pytest.raises(ModelError, match="its classes are"),
    ):
        judge.look(classifier, [0], None)


def test_another_picture_or_label_is_another_data_set(tmp_path: Path) -> None:
    data = write_label_set(tmp_path)
    first = open_judge("faces", data).sha256
    assert open_judge("faces", data).sha256 == first
    label = data / "label.txt"
    label.write_text(label.read_text().replace("0 0 32 32", "0 0 32 31"))
    assert open_judge("faces", data).sha256 != first


def test_an_unknown_task_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="no task 'face' to pick a model for; did you mean 'faces'"):
        open_judge("face", Path("x"))


def test_a_protocol_is_for_faces_alone() -> None:
    with pytest.raises(UsageError, match="--protocol: is for faces"):
        open_judge("classify", Path("x"), "ap50")


def test_labels_without_any_face_are_refused(tmp_path: Path) -> None:
    data = write_label_set(tmp_path)
    (data / "label.txt").write_text("# near/a.png\n")
    with pytest.raises(DataError, match="holds no labelled face"):
        open_judge("faces", data)


def test_pictures_that_are_none_are_named_before_anything_is_measured(tmp_path: Path) -> None:
    data = write_label_set(tmp_path)
    (data / "images" / "near" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1 of 2 pictures cannot be read: .*a\.png"):
        open_judge("faces", data)


@pytest.mark.parametrize("task", ["faces", "classify", "pages"])
def test_an_empty_folder_is_refused_in_a_line(task: str, tmp_path: Path) -> None:
    with pytest.raises((DataError, UsageError)) as error:
        open_judge(task, tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)
