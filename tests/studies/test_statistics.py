"""Spread of few repetitions."""

import math

import pytest

from ligera.studies.statistics import paired, spread


def test_the_interval_is_student_s() -> None:
    found = spread([1.0, 2.0, 3.0])
    assert (found.mean, found.n) == (2.0, 3)
    assert found.deviation == pytest.approx(1.0)
    assert found.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (found.low, found.high) == pytest.approx((2 - found.half, 2 + found.half))


def test_one_value_has_no_spread() -> None:
    found = spread([5.0])
    assert found.mean == 5.0
    assert math.isnan(found.half)


def test_pairs_cancel_what_both_share() -> None:
    assert paired([11.0, 21.0, 31.0], [10.0, 20.0, 30.0]).half == 0
    with pytest.raises(ValueError):
        paired([1.0], [1.0, 2.0])


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="one or more"):
        spread([])
