"""Budgets: what is a limit and what is none."""

import math

import pytest

from ligera.deploy.pick.budget import Budget
from ligera.errors import UsageError


@pytest.mark.parametrize("name", ["max_ms", "max_mb", "max_joule"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_limit_that_nothing_or_everything_keeps_is_refused_by_its_option(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"--{name.replace('_', '-')}: expected a number above 0, got"):
        Budget(**{name: value})


def test_nothing_at_all_may_be_lost_to_precision_but_not_less() -> None:
    assert Budget(max_drop=0).max_drop == 0
    with pytest.raises(UsageError, match="--max-drop: expected a number of 0 or more, got -1"):
        Budget(max_drop=-1)


@pytest.mark.parametrize("percentile", [0, 49, 99.5, math.nan])
def test_a_percentile_that_some_hundred_calls_cannot_tell_is_refused(percentile: float) -> None:
    with pytest.raises(UsageError, match="--percentile: expected 50 to 99"):
        Budget(percentile=percentile)


def test_a_wider_budget_costs_a_fifth_more_and_loses_no_more() -> None:
    wider = Budget(max_ms=10, max_mb=2, max_drop=1).relaxed()
    assert (wider.max_ms, wider.max_mb, wider.max_drop, wider.max_joule) == pytest.approx((12, 2.4, 1, None))


def test_a_budget_says_itself_in_words() -> None:
    assert Budget(max_ms=8, max_mb=2, percentile=99).words() == "p99 within 8 ms, file within 2 MB"
    assert Budget().words() == "no limit" and Budget().is_open and not Budget(max_drop=0).is_open
