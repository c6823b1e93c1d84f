"""One detection, one face: the best score chooses first."""

from __future__ import annotations

import numpy as np
import pytest

from ligera.metrics.matching import match
from ligera.records import Detections

LEFT, RIGHT = [0.0, 0.0, 10.0, 10.0], [100.0, 0.0, 110.0, 10.0]


def found(boxes: list[list[float]], scores: list[float]) -> Detections:
    return Detections(np.array(boxes).reshape(-1, 4), np.array(scores))


def test_each_detection_is_given_its_own_face() -> None:
    assert match(found([RIGHT, LEFT], [0.2, 0.9]), np.array([LEFT, RIGHT])).tolist() == [1, 0]


def test_the_better_score_takes_the_face_though_another_fits_better() -> None:
    shifted = [2.0, 0.0, 12.0, 10.0]
    assert match(found([LEFT, shifted], [0.2, 0.9]), np.array([LEFT])).tolist() == [-1, 0]


def test_equal_scores_choose_in_their_order() -> None:
    assert match(found([LEFT, LEFT], [0.5, 0.5]), np.array([LEFT])).tolist() == [0, -1]


def test_an_overlap_equal_to_the_threshold_is_enough() -> None:
    half = [0.0, 0.0, 5.0, 10.0]
    assert match(found([half], [0.5]), np.array([LEFT]), 0.5).tolist() == [0]
    assert match(found([half], [0.5]), np.array([LEFT]), 0.51).tolist() == [-1]


def test_a_wanted_face_goes_first_and_another_is_taken_where_none_is_free() -> None:
    faces = np.array([LEFT, [0.0, 0.0, 10.0, 12.0]])
    wanted = np.array([False, True])
    assert match(found([LEFT, LEFT], [0.9, 0.8]), faces, 0.5, wanted).tolist() == [1, 0]


def test_without_detections_or_faces_there_is_nothing_to_match() -> None:
    assert match(found([], []), np.array([LEFT])).tolist() == []
    assert match(found([LEFT], [0.5]), np.zeros((0, 4))).tolist() == [-1]


@pytest.mark.parametrize("iou_threshold", [0.0, 1.1, float("nan")])
def test_a_threshold_that_means_nothing_is_refused(iou_threshold: float) -> None:
    with pytest.raises(ValueError, match="iou_threshold"):
        match(found([LEFT], [0.5]), np.array([LEFT]), iou_threshold)
