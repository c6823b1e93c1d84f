"""The cascade's arithmetic, each rule by numbers that can be checked by hand."""

import numpy as np
import pytest

from ligera.models.cascade import (
    CascadeRule,
    calibrated,
    cells_along,
    corners,
    face_scores,
    landmarks_at,
    level_size,
    proposals,
    pyramid_scales,
    smaller_box_nms,
    squares,
)


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_the_first_level_shows_the_smallest_face_at_twelve_pixels_and_each_next_one_is_smaller() -> None:
    scales = pyramid_scales(100, 200, CascadeRule(min_face_px=24, scale_step=0.5))
    assert scales == (0.5, 0.25, 0.125)
    assert [level_size(100, 200, scale) for scale in scales] == [(51, 101), (26, 51), (13, 26)]


def test_a_picture_smaller_than_the_smallest_face_has_no_levels() -> None:
    assert pyramid_scales(19, 500, CascadeRule(min_face_px=20)) == ()


def test_128_pixels_have_59_cells() -> None:
    assert cells_along(128) == 59


@pytest.mark.parametrize(("margin", "score"), [(0, 0.5), (100, 1), (-200, 0), (np.log(3), 0.75)])
def test_a_margin_becomes_a_probability(margin: float, score: float) -> None:
    found = face_scores(np.array([margin], np.float32))
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(score)


def test_a_cell_proposes_the_window_it_looks_at_in_pixels_of_the_picture() -> None:
    margins = np.full(6, -5, np.float32)
    margins[4] = 5  # second row of three columns, its middle
    offsets = np.arange(24, dtype=np.float32).reshape(6, 4)
    windows, scores, moves = proposals(margins, offsets, columns=3, scale=0.5, least=0.6)
    # cell (1, 1) starts 2 px in and is 12 px wide; pixels count from 1
    np.testing.assert_array_equal(windows, [[6, 6, 28, 28]])
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-5)))
    np.testing.assert_array_equal(moves, offsets[[4]])


def test_a_score_of_just_the_least_is_proposed() -> None:
    assert len(proposals(np.zeros(3, np.float32), np.zeros((3, 4), np.float32), 3, 1.0, 0.5)[0]) == 3


def test_sides_move_by_their_share_of_the_box() -> None:
    moved = calibrated(boxes((10, 20, 30, 60)), boxes((0.1, -0.1, 0.5, 0)), end_included=False)
    np.testing.assert_allclose(moved, [[12, 16, 40, 60]])


def test_a_box_whose_end_is_included_is_one_pixel_longer() -> None:
    moved = calibrated(boxes((0, 0, 9, 19)), boxes((1, 1, 0, 0)), end_included=True)
    np.testing.assert_allclose(moved, [[10, 20, 9, 19]])


def test_squares_keep_the_centre_and_take_the_longer_side() -> None:
    np.testing.assert_allclose(squares(boxes((0, 0, 10, 30), (4, 4, 24, 10))), [[-10, 0, 20, 30], [4, -3, 24, 17]])


def test_corners_count_pixels_from_one_and_stay_in_the_picture() -> None:
    cut = corners(boxes((1.9, 3.2, 10.7, 8.9), (-5, -5, 500, 500)), height=40, width=60)
    np.testing.assert_array_equal(cut, [[0, 2, 10, 8], [0, 0, 60, 40]])


@pytest.mark.parametrize("outside", [(70, 5, 90, 25), (5, 50, 25, 70), (-40, 5, -20, 25), (5, -40, 25, -1e30)])
def test_of_a_box_outside_the_picture_nothing_is_left(outside: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = corners(boxes(outside), height=40, width=60)[0]
    assert x1 >= x2 or y1 >= y2


def test_landmarks_stand_where_they_are_in_the_crop() -> None:
    places = np.array([[0, 0, 1, 1, 0.5, 0.5, 0, 1, 1, 0]], np.float32)
    points = landmarks_at(boxes((11, 21, 30, 60)), places)
    np.testing.assert_allclose(points[0], [[10, 20], [30, 60], [20, 40], [10, 60], [30, 20]])


def test_a_small_box_inside_a_large_one_falls() -> None:
    kept = smaller_box_nms(boxes((0, 0, 99, 99), (40, 40, 49, 49), (200, 0, 210, 10)), np.array([0.9, 0.8, 0.7]), 0.7)
    np.testing.assert_array_equal(kept, [0, 2])


def test_of_boxes_with_one_score_the_last_stands() -> None:
    kept = smaller_box_nms(boxes((0, 0, 9, 9), (0, 0, 9, 9), (50, 50, 60, 60)), np.array([1.0, 1.0, 0.5]), 0.7)
    np.testing.assert_array_equal(kept, [1, 2])


def test_overlap_up_to_the_threshold_is_allowed() -> None:
    pair = boxes((0, 0, 9, 9), (5, 0, 14, 9))  # 10 px wide each, 5 shared
    assert len(smaller_box_nms(pair, np.array([0.9, 0.8]), 0.5)) == 2
    assert len(smaller_box_nms(pair, np.array([0.9, 0.8]), 0.49)) == 1


def test_nothing_suppressed_is_an_empty_index() -> None:
    assert smaller_box_nms(boxes(), np.zeros(0, np.float32), 0.7).shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stages": 0},
        {"stages": 4},
        {"min_face_px": 1},
        {"min_face_px": float("nan")},
        {"scale_step": 1.0},
        {"scale_step": 0.0},
        {"scores": (0.6, 1.7, 0.7)},
        {"level_iou": -0.1},
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_by_name(wrong: dict) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))}.*expected .*got"):
        CascadeRule(**wrong)
