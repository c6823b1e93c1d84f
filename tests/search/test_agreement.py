"""Agreement of predicted and measured times, and the fit of constants."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from ligera.search.agreement import agreement, fit_constants, kendall_tau


def test_the_figures_of_a_small_example() -> None:
    found = agreement([1.0, 2.1, 3.0, 5.0], [1.0, 2.0, 3.0, 4.0])
    assert found.mape == pytest.approx(0.3 / 4) and found.bias == pytest.approx(0.3 / 4)
    assert found.near_share == 0.75 and found.tau == 1 and not found.reaches()
    assert agreement([1.01, 2.0, 3.0], [1.0, 2.0, 3.0]).reaches()


def test_tau_is_scipys_with_ties_too() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        first, second = random.integers(0, 10, (2, 40)).astype(float)
        assert kendall_tau(first, second) == pytest.approx(kendalltau(first, second).statistic)
    assert kendall_tau(np.ones(3), np.arange(3.0)) == 0


def test_planted_constants_are_found() -> None:
    random = np.random.default_rng(0)
    counts = [{"net": 1, "stage1": int(n), "stage2": int(m), "stage3": 2} for n, m in random.integers(1, 5, (60, 2))]
    sums = random.uniform(2, 6, 60)
    took = [ms + 0.3 - 0.05 * row["stage1"] + 0.02 * row["stage2"] for ms, row in zip(sums, counts, strict=True)]
    found = fit_constants(counts, list(sums), took)
    assert found == pytest.approx({"net": 0.3, "stage1": -0.05, "stage2": 0.02}, abs=2e-3)


def test_too_few_nets_are_refused() -> None:
    with pytest.raises(ValueError, match="expected two times or more"):
        agreement([1.0], [1.0])
