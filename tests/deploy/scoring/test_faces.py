"""A detector over a data set gets the scores that can be worked out by hand, under a protocol that says how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.detector import Detector
from ligera.deploy.scoring.faces import LabelScores, WiderScores, evaluate, input_rule
from ligera.errors import DataError, ModelError, UsageError
from ligera.records import Detections

from ..conftest import REAL_DATA
from ..spot_sets import box, write_label_set, write_spots, write_wider_set


@pytest.fixture
def detector(bundle: Path) -> Iterator[Detector]:
    with Detector.load(bundle, threads=1) as loaded:
        yield loaded


class Nothing:
    """An engine without a network that finds nothing, or ``found``, and notes at what size it was asked to look."""

    name = "nothing"
    runtime = None

    def __init__(self) -> None:
        self.asked: list[int | None] = []
        self.found = Detections(np.zeros((0, 4)), np.zeros(0))

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        self.asked.append(max_side)
        return self.found

    def close(self) -> None:
        pass


def test_each_source_has_its_own_scores_and_all_pictures_together(detector: Detector, tmp_path: Path) -> None:
    scores = evaluate(detector, write_label_set(tmp_path))
    assert isinstance(scores, LabelScores)
    near, far = scores.sources["near"], scores.sources["far"]
    assert (near.pictures, near.faces, near.ap50, near.recall, near.precision) == (1, 2, 1.0, 1.0, 1.0)
    # one of two faces found, one detection on no face with the same score; the one in the ignore region left out
    assert (far.pictures, far.faces, far.recall, far.precision) == (1, 2, 0.5, 0.5)
    assert far.ap50 == pytest.approx(0.25)
    assert (scores.overall.faces, scores.overall.recall, scores.overall.precision) == (4, 0.75, 0.75)
    assert scores.overall.ap50 == pytest.approx(0.75 * 0.75)


def test_landmark_error_is_that_of_faces_with_known_points_and_unknown_elsewhere(
    detector: Detector, tmp_path: Path
) -> None:
    scores = evaluate(detector, write_label_set(tmp_path))
    assert isinstance(scores, LabelScores)
    # two of five points are 8 px off, eyes 16 px apart
    assert scores.sources["near"].nme == pytest.approx(2 * 8 / 16 / 5)
    assert scores.sources["near"].nme_faces == 1
    assert scores.sources["far"].nme is None


def test_faces_are_scored_by_size_too(detector: Detector, tmp_path: Path) -> None:
    scores = evaluate(detector, write_label_set(tmp_path))
    assert isinstance(scores, LabelScores)
    assert {name: part.faces for name, part in scores.sizes.items() if part.faces} == {"32-96 px": 4}
    assert scores.sizes["<16 px"].ap50 is None


def test_small_faces_can_be_made_neither_right_nor_wrong(detector: Detector, tmp_path: Path) -> None:
    folder = write_label_set(tmp_path)
    with (folder / "label.txt").open("a") as labels:
        labels.write("64 0 10 20\n")
    assert evaluate(detector, folder).as_dict()["sources"]["far"]["faces"] == 3
    scores = evaluate(detector, folder, min_face=32)
    assert isinstance(scores, LabelScores)
    assert (scores.sources["far"].faces, scores.overall.ap50) == (2, pytest.approx(0.5625))
    assert "faces with a long side under 32 px ignored" in scores.protocol
    everything = evaluate(detector, folder, min_face=33)
    assert isinstance(everything, LabelScores)
    assert (everything.overall.faces, everything.overall.ap50) == (0, None)
    with pytest.raises(UsageError, match="has its own rule of which faces count"):
        evaluate(detector, write_wider_set(tmp_path / "wider"), min_face=16)


def test_the_official_protocol_counts_a_face_only_where_its_setting_does(detector: Detector, tmp_path: Path) -> None:
    scores = evaluate(detector, write_wider_set(tmp_path))
    assert isinstance(scores, WiderScores)
    assert (scores.easy, scores.medium) == (1.0, 1.0)
    assert scores.hard == pytest.approx(0.5)
    assert scores.protocol.startswith("WIDER FACE official")


def test_wider_face_pictures_can_be_scored_as_plain_labels(detector: Detector, tmp_path: Path) -> None:
    scores = evaluate(detector, write_wider_set(tmp_path), protocol="ap50")
    assert isinstance(scores, LabelScores)
    assert scores.overall.ap50 == pytest.approx(0.5)
    assert list(scores.sources) == ["0--Parade"]


def test_scores_are_ready_for_strict_json_with_null_for_unknown(detector: Detector, tmp_path: Path) -> None:
    plain = evaluate(detector, write_label_set(tmp_path)).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["sizes"]["<16 px"] == {"pictures": 2, "faces": 0, "ap50": None, "recall": None, "precision": None}


def test_every_protocol_names_the_input_size(detector: Detector, tmp_path: Path) -> None:
    folder = write_label_set(tmp_path)
    assert "AP@0.5" in evaluate(detector, folder).protocol
    assert "native size, single scale" in evaluate(detector, folder).protocol
    assert "long side at most 64 px, single scale" in evaluate(detector, folder, max_side=64).protocol
    wider = evaluate(detector, write_wider_set(tmp_path / "wider"), max_side=96)
    assert "long side at most 96 px, single scale" in wider.protocol


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_side": 640}, "long side at most 640 px"),
        ({"min_side": 320}, "long side at least 320 px"),
        ({"min_side": 640, "max_side": 640}, "long side at least 640 px and at most 640 px"),
        ({"fixed": (240, 320)}, "input fixed at 320 x 240 px"),
    ],
)
def test_a_models_own_rule_of_size_is_named(detector: Detector, changes: dict, words: str) -> None:
    card = detector.engine.card  # type: ignore[attr-defined]
    detector.engine.card = replace(card, preprocess=replace(card.preprocess, **changes))  # type: ignore[attr-defined]
    assert input_rule(detector) == words


def test_large_pictures_keep_their_size_unless_a_bound_is_given(tmp_path: Path) -> None:
    folder, engine = write_label_set(tmp_path), Nothing()
    evaluate(Detector(engine), folder)
    assert all(side is not None and side >= 100_000 for side in engine.asked)
    engine.asked.clear()
    evaluate(Detector(engine), folder, max_side=64)
    assert set(engine.asked) == {64}


def test_a_detector_that_finds_nothing_scores_zero_with_unknown_precision(tmp_path: Path) -> None:
    scores = evaluate(Detector(Nothing()), write_label_set(tmp_path))
    assert isinstance(scores, LabelScores)
    assert (scores.overall.ap50, scores.overall.recall, scores.overall.precision) == (0.0, 0.0, None)


def test_boxes_that_are_no_numbers_are_the_models_fault(tmp_path: Path) -> None:
    engine = Nothing()
    engine.found = Detections(np.full((1, 4), np.nan), np.ones(1))
    with pytest.raises(ModelError, match=r"nothing: gives boxes that are no numbers in .*a\.png"):
        evaluate(Detector(engine), write_wider_set(tmp_path))


def test_broken_pictures_are_named_instead_of_a_score(detector: Detector, tmp_path: Path) -> None:
    folder = write_label_set(tmp_path)
    for name in ("near/a.png", "far/b.png"):
        picture = folder / "images" / name
        picture.write_bytes(picture.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"2 of 2 pictures cannot be read: .*a\.png.*b\.png") as raised:
        evaluate(detector, folder)
    assert "\n" not in str(raised.value)


def test_of_many_broken_pictures_five_are_named_and_the_rest_counted(detector: Detector, tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(8)]
    (tmp_path / "label.txt").write_text("".join(f"# {name}\n{box((0, 0))}\n" for name in names))
    write_spots(tmp_path / names[0], (0, 0))
    for name in names[1:]:
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"7 of 8 pictures cannot be read: .*; and 2 more"):
        evaluate(detector, tmp_path)


def test_a_missing_ground_truth_is_found_before_any_detection(tmp_path: Path) -> None:
    folder, engine = write_wider_set(tmp_path), Nothing()
    (folder / "wider_face_split" / "wider_hard_val.mat").unlink()
    with pytest.raises(DataError, match=r"wider_hard_val\.mat: not there"):
        evaluate(Detector(engine), folder)
    assert not engine.asked


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [
        ("widerface", "needs WIDER FACE's own layout"),
        ("coco", "is for layout detectors"),
        ("ap05", "did you mean 'ap50'"),
    ],
)
def test_a_protocol_that_does_not_fit_is_refused(
    detector: Detector, tmp_path: Path, protocol: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        evaluate(detector, write_label_set(tmp_path), protocol=protocol)


def test_progress_may_follow_every_picture(detector: Detector, tmp_path: Path) -> None:
    seen: list[str] = []

    def watch(samples, count):  # type: ignore[no-untyped-def]
        assert count == 2
        for sample in samples:
            yield sample
            seen.append(sample.name)

    evaluate(detector, write_label_set(tmp_path), watch=watch)
    assert seen == ["near/a.png", "far/b.png"]


def test_yunet_scores_on_real_pictures_what_it_is_known_for() -> None:
    model = REAL_DATA / "weights" / "peers" / "yunet_n_dynamic.onnx"
    data = REAL_DATA / "faces" / "val"
    if not (model.is_file() and data.is_dir()):
        pytest.skip("the real face data does not stand at ../shared/data")
    with Detector.load(f"yunet:{model}", threads=1) as detector:
        scores = evaluate(detector, data)
    assert isinstance(scores, LabelScores)
    assert (scores.overall.pictures, scores.overall.faces) == (160, 1113)
    masks = scores.sources["masks"].ap50
    assert masks is not None and 0.65 < masks < 0.9
    assert scores.sources["afw"].nme is not None and scores.sources["afw"].nme < 0.15
