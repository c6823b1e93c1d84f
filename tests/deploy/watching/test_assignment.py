"""Pairs that cost the least in all, held against scipy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from ligera.deploy.watching.assignment import cheapest_pairs

COSTS = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 20).map(float))
)


@settings(max_examples=150, deadline=None)
@given(COSTS)
def test_the_sum_is_the_least_there_is(costs: np.ndarray) -> None:
    pairs = cheapest_pairs(costs, 100.0)
    rows, columns = linear_sum_assignment(costs)
    assert len(pairs) == min(costs.shape)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert sum(costs[pair] for pair in pairs) == pytest.approx(costs[rows, columns].sum())


def test_the_nearest_is_left_to_another_where_that_is_cheaper_in_all() -> None:
    assert cheapest_pairs(np.array([[1.0, 2.0], [1.1, 9.0]]), 100.0) == [(0, 1), (1, 0)]


def test_what_costs_too_much_stays_alone() -> None:
    assert cheapest_pairs(np.array([[1.0, 50.0], [50.0, 50.0]]), 10.0) == [(0, 0)]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_of_nothing_there_are_no_pairs(shape: tuple[int, int]) -> None:
    assert cheapest_pairs(np.zeros(shape), 1.0) == []
