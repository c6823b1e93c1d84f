import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ligera.train.samplers.pool import choose, make_pool, systematic


@given(arrays(np.float64, st.integers(1, 40), elements=st.sampled_from([0.0, 0.1, 1.0, 7.0])), st.integers(1, 200))
@settings(deadline=None, max_examples=50)
def test_systematic_draws_keep_each_row_within_one_of_its_share(weights: np.ndarray, count: int) -> None:
    if not weights.any():
        weights[0] = 1
    expected = weights / weights.sum() * count
    counts = np.bincount(systematic(weights / weights.sum(), count, np.random.default_rng(0)), minlength=len(weights))
    assert counts.sum() == count
    assert np.abs(counts - expected).max() < 1 + 1e-9
    assert not counts[weights == 0].any()


def test_without_weights_a_part_is_shown_once_each_in_a_new_order() -> None:
    pool = make_pool(50, None, None)
    part = np.arange(10, 30)
    shown = pool.shown(part, np.random.default_rng(0))
    assert sorted(shown) == part.tolist() != shown.tolist()


def test_weights_that_do_not_differ_are_no_weights() -> None:
    assert make_pool(5, np.full(5, 0.3), None).draws is None


def test_weights_that_differ_are_kept_to_when_the_samples_of_an_epoch_are_not_given() -> None:
    pool = make_pool(4, np.array([5.0, 1.0, 1.0, 1.0]), None)
    counts = np.bincount(pool.shown(pool.rows, np.random.default_rng(1)), minlength=4)
    assert pool.per_epoch == counts.sum() == 4
    assert counts[0] in (2, 3)


def test_a_row_without_weight_is_not_one_of_the_rows() -> None:
    pool = make_pool(5, np.array([1.0, 0.0, 1.0, 0.0, 1.0]), None)
    assert pool.rows.tolist() == [0, 2, 4]
    assert sorted(pool.shown(pool.rows, np.random.default_rng(0))) == [0, 2, 4]


@given(rows=st.integers(1, 60), draws=st.integers(1, 500), part=st.integers(1, 60))
@settings(deadline=None, max_examples=50)
def test_a_part_of_the_rows_draws_that_part_of_an_epoch_in_proportion(rows: int, draws: int, part: int) -> None:
    part = min(part, rows)
    weights = np.random.default_rng(rows).uniform(0.5, 4, rows)
    pool = make_pool(rows, weights, draws)
    subset = choose(pool.rows, part, np.random.default_rng(part))
    counts = np.bincount(pool.shown(subset, np.random.default_rng(0)), minlength=rows)
    assert counts.sum() == round(draws * part / rows)
    expected = counts.sum() * weights[subset] / weights[subset].sum()
    assert np.abs(counts[subset] - expected).max() < 1 + 1e-9


@pytest.mark.parametrize("weights", [np.zeros(3), np.ones(4), np.array([1, -1, 1]), np.array([1, np.nan, 1])])
def test_weights_that_nothing_can_be_drawn_by_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weights: expected"):
        make_pool(3, weights, None)
