"""Landmark error in distances between the eyes, over the faces that can be measured."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ligera.metrics.landmarks import landmark_error
from ligera.records import Detections, Targets

BOX = [0.0, 0.0, 100.0, 100.0]
POINTS = np.array([[30.0, 40.0], [70.0, 40.0], [50.0, 60.0], [35.0, 80.0], [65.0, 80.0]])


def found(boxes: list[list[float]], points: list[np.ndarray] | None, scores: list[float] | None = None) -> Detections:
    landmarks = None if points is None else np.array(points).reshape(-1, 5, 2)
    return Detections(np.array(boxes).reshape(-1, 4), np.array(scores or [0.5] * len(boxes)), landmarks=landmarks)


def faces(points: list[np.ndarray], boxes: list[list[float]] | None = None) -> Targets:
    return Targets(np.array(boxes or [BOX] * len(points)), landmarks=np.array(points))


def shifted(points: np.ndarray, x: float, y: float) -> np.ndarray:
    return points + np.array([x, y])


def test_points_in_place_have_no_error() -> None:
    result = landmark_error([(found([BOX], [POINTS]), faces([POINTS]))])
    assert (result.nme, result.matched_share, result.faces, result.matched) == (0.0, 1.0, 1, 1)


def test_the_mean_distance_is_measured_in_distances_between_the_eyes() -> None:
    # All five points 5 px off (3, 4), eyes 40 px apart.
    result = landmark_error([(found([BOX], [shifted(POINTS, 3, 4)]), faces([POINTS]))])
    assert result.nme == pytest.approx(5 / 40)
    one_off = POINTS.copy()
    one_off[2] += [0, 10]
    assert landmark_error([(found([BOX], [one_off]), faces([POINTS]))]).nme == pytest.approx(10 / 5 / 40)


def test_the_mean_is_over_faces_and_not_over_pictures() -> None:
    away = [200.0, 0.0, 300.0, 100.0]
    moved = shifted(POINTS, 200, 0)
    crowd = (found([BOX, away], [POINTS, shifted(moved, 0, 4)]), faces([POINTS, moved], [BOX, away]))
    alone = (found([BOX], [shifted(POINTS, 0, 8)]), faces([POINTS]))
    result = landmark_error([crowd, alone])
    assert result.nme == pytest.approx((0 + 0.1 + 0.2) / 3)
    assert sorted(result.errors.tolist()) == pytest.approx([0, 0.1, 0.2])


def test_the_detection_that_overlaps_most_is_measured() -> None:
    beside = [10.0, 0.0, 110.0, 100.0]
    result = landmark_error([(found([beside, BOX], [shifted(POINTS, 0, 8), POINTS], [0.9, 0.2]), faces([POINTS]))])
    assert result.nme == 0.0


def test_a_face_that_nothing_overlaps_enough_is_missed() -> None:
    far = [60.0, 0.0, 160.0, 100.0]
    result = landmark_error([(found([far], [POINTS]), faces([POINTS])), (found([BOX], [POINTS]), faces([POINTS]))])
    assert (result.matched_share, result.faces, result.matched) == (0.5, 2, 1)


def test_faces_with_an_unknown_point_or_eyes_in_one_place_are_not_counted() -> None:
    unknown, profile = POINTS.copy(), POINTS.copy()
    unknown[4] = np.nan
    profile[1] = profile[0]
    result = landmark_error([(found([BOX], [POINTS]), faces([unknown])), (found([BOX], [POINTS]), faces([profile]))])
    assert result.faces == 0
    assert math.isnan(result.nme)
    assert math.isnan(result.matched_share)


def test_a_detection_that_leaves_a_point_open_does_not_match() -> None:
    open_point = POINTS.copy()
    open_point[0] = np.nan
    result = landmark_error([(found([BOX], [open_point]), faces([POINTS]))])
    assert (result.faces, result.matched) == (1, 0)


def test_nothing_found_matches_nothing() -> None:
    result = landmark_error([(found([], None), faces([POINTS]))])
    assert result.matched_share == 0.0
    assert math.isnan(result.nme)


def test_detections_without_landmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="landmarks"):
        landmark_error([(found([BOX], None), faces([POINTS]))])
