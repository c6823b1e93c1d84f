from typing import Any

import numpy as np
import pytest

from ligera.train.samplers import EpochPlan


def test_an_even_plan_weighs_every_row_alike() -> None:
    plan = EpochPlan.even(np.array([3, 1, 2]))
    assert len(plan) == 3
    assert plan.weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "weights"),
    [
        ([1, 2], np.ones(2, np.float32)),
        (np.array([1.0, 2.0]), np.ones(2, np.float32)),
        (np.array([1, 2]), np.ones(2)),
        (np.array([1, 2]), np.ones(3, np.float32)),
        (np.array([[1, 2]]), np.ones(2, np.float32)),
    ],
)
def test_a_plan_of_anything_but_rows_and_their_weights_is_refused(rows: Any, weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected .* got"):
        EpochPlan(rows, weights)
