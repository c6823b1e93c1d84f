"""Records hold what they promise, or say what they expected and what they got."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from ligera.records import Decoding, Detections, Picture, Preprocess, PriorSpec, Targets

BOX = [[1.0, 2.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        [[1, 2, 3]],
    ],
)
def test_a_picture_of_another_kind_is_refused(pixels: object) -> None:
    with pytest.raises(ValueError, match=r"pixels: expected .* got "):
        Picture(pixels)


def test_a_picture_knows_its_sides() -> None:
    one = Picture(np.zeros((4, 6, 3), np.uint8), "a.jpg")
    assert (one.width, one.height, one.path) == (6, 4, "a.jpg")


def test_targets_fill_in_what_is_not_known() -> None:
    targets = Targets(np.array(BOX))
    assert len(targets) == 1
    assert targets.boxes.dtype == np.float32
    assert targets.labels.tolist() == [0]
    assert targets.landmarks.shape == (1, 5, 2)
    assert np.isnan(targets.landmarks).all()
    assert targets.ignore.shape == (0, 4)


def test_a_picture_without_faces_has_empty_targets_of_the_right_shape() -> None:
    targets = Targets([], ignore=[])
    assert (targets.boxes.shape, targets.landmarks.shape, targets.ignore.shape) == ((0, 4), (0, 5, 2), (0, 4))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"boxes": [[1, 2, 3]]}, r"boxes: expected shape \(N, 4\), got \(1, 3\)"),
        ({"boxes": [[3, 2, 1, 4]]}, "boxes: expected finite x1 y1 x2 y2"),
        ({"boxes": [[1, 2, np.nan, 4]]}, "boxes: expected finite"),
        ({"boxes": BOX, "ignore": [[1, 5, 3, 4]]}, "ignore: expected finite"),
        ({"boxes": BOX, "labels": [1, 2]}, "labels: expected 1 rows, one for each box, got 2"),
        ({"boxes": BOX, "landmarks": np.zeros((2, 5, 2))}, "landmarks: expected 1 rows"),
        ({"boxes": BOX, "landmarks": np.zeros((1, 4, 2))}, r"landmarks: expected shape \(N, 5, 2\)"),
    ],
)
def test_targets_that_do_not_fit_together_are_refused(fields: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Targets(**fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"scores": []}, "scores: expected 1 rows"),
        ({"scores": [0.5], "labels": [1]}, "labels: expected 0 to 0, got up to 1"),
        ({"scores": [0.5], "labels": [-1]}, "labels: expected 0 to 0"),
        ({"scores": [0.5], "landmarks": np.zeros((2, 5, 2))}, "landmarks: expected 1 rows"),
        ({"scores": [0.5], "polygons": ()}, "polygons: expected 1, one group for each box, got 0"),
        ({"scores": [[0.5]]}, r"scores: expected shape \(N\)"),
    ],
)
def test_detections_that_do_not_fit_together_are_refused(fields: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Detections(boxes=np.array(BOX), **fields)


def found() -> Detections:
    boxes = np.array([[0, 0, 10, 10], [5, 5, 20, 20], [1.239, 2, 3, 4]])
    triangle = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    landmarks = np.arange(30).reshape(3, 5, 2)
    polygons = ((triangle,), (), (triangle, triangle + 1))
    return Detections(boxes, np.array([0.9, 0.8, 0.7]), np.array([0, 1, 0]), ("face", "mask"), landmarks, polygons)


@pytest.mark.parametrize("rows", [np.array([2, 0]), [2, 0]])
def test_taking_rows_keeps_everything_in_their_order(rows: object) -> None:
    taken = found().take(rows)
    assert taken.scores.tolist() == pytest.approx([0.7, 0.9])
    assert taken.labels.tolist() == [0, 0]
    assert taken.landmarks[0].tolist() == found().landmarks[2].tolist()
    assert [len(group) for group in taken.polygons] == [2, 1]


def test_taking_by_mask_or_slice_is_the_same() -> None:
    mask = np.array([True, False, True])
    assert found().take(mask).scores.tolist() == found().take(slice(0, 3, 2)).scores.tolist()
    assert len(found().take(slice(0, 0))) == 0


def test_rows_are_ready_for_json_and_rounded() -> None:
    row = json.loads(json.dumps(found().rows()))[2]
    assert row["box"] == [1.24, 2.0, 3.0, 4.0]
    assert (row["label"], row["score"]) == ("face", 0.7)
    assert len(row["landmarks"]) == 5
    assert len(row["polygon"]) == 2
    assert "landmarks" not in Detections(np.array(BOX), np.array([0.5])).rows()[0]


def test_records_cannot_be_changed() -> None:
    detections = found()
    with pytest.raises(dataclasses.FrozenInstanceError):
        detections.boxes = np.zeros((0, 4))
    with pytest.raises(ValueError, match="read-only"):
        detections.boxes[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        Targets(np.array(BOX)).boxes[0] = 0


def test_the_array_given_stays_writable() -> None:
    boxes = np.array(BOX, dtype=np.float32)
    Targets(boxes)
    boxes[0, 0] = 0
    assert boxes.flags.writeable


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Preprocess(multiple=0), "multiple: expected 1 or more, got 0"),
        (lambda: Preprocess(max_side=4), "max_side: expected at least 8 pixels, got 4"),
        (lambda: Preprocess(min_side=7), "min_side: expected at least 8 pixels"),
        (lambda: Preprocess(dtype="uint8", mean=(1, 0, 0)), "dtype uint8: expected mean 0 and scale 1"),
        (lambda: Preprocess(dtype="uint8", scale=(1, 1, 0.5)), "dtype uint8"),
        (lambda: PriorSpec(strides=(8,), sizes=((16,), (32,))), "sizes: expected 1 groups, one for each stride, got 2"),
        (lambda: PriorSpec(strides=(0,), sizes=((16,),)), "positive"),
        (lambda: PriorSpec(strides=(8,), sizes=((-1,),)), "positive"),
        (lambda: Decoding(score_threshold=1.5), "score_threshold: expected 0 to 1, got 1.5"),
        (lambda: Decoding(nms_iou=-0.1), "nms_iou: expected 0 to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()


def test_settings_compare_by_value() -> None:
    assert Decoding() == Decoding()
    assert Preprocess() != Preprocess(channels="bgr")
