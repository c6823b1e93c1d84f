"""Average precision of scores, overlaps and distances of crops."""

import numpy as np
import pytest

from ligera.train.mtcnn.scores import box_overlaps, mean_distance, ranking_precision


def test_a_perfect_ranking_has_precision_one_and_the_worst_the_share_of_positives() -> None:
    assert ranking_precision(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1
    assert ranking_precision(np.array([0.1, 0.2]), np.array([0.8, 0.9])) == pytest.approx(0.5)


def test_equal_scores_tell_nothing() -> None:
    assert ranking_precision(np.full(3, 0.5), np.full(9, 0.5)) == pytest.approx(0.25)


def test_precision_of_a_known_ranking() -> None:
    """+ - + -: after the first, all recall so far at precision 1; the second at two thirds."""
    assert ranking_precision(np.array([4.0, 2.0]), np.array([3.0, 1.0])) == pytest.approx((1 + 2 / 3) / 2)


def test_without_positives_precision_is_unknown() -> None:
    assert np.isnan(ranking_precision(np.zeros(0), np.ones(3)))


def test_overlaps_of_the_crop_itself_of_half_of_it_and_of_nothing() -> None:
    true = np.array([[0, 0, 0, 0], [0, 0, -0.5, 0], [0, 0, 0, 0]], np.float32)
    answered = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [2, 2, 2, 2]], np.float32)
    np.testing.assert_allclose(box_overlaps(answered, true), [1, 0.5, 0])


def test_distances_leave_out_unknown_points() -> None:
    true = np.zeros((2, 10), np.float32)
    true[1] = np.nan
    answered = np.tile(np.array([0.3, 0.4], np.float32), (2, 5))
    assert mean_distance(answered, true) == pytest.approx(0.5)
    assert np.isnan(mean_distance(answered[1:], true[1:]))
