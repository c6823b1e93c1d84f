import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.train.samplers import Sampler, SamplerRecipe, make_sampler


def make(rows: int, count: float, seed: int = 0, *, replacement: bool = False) -> Sampler:
    recipe = SamplerRecipe(kind="rs2", alpha=count, replacement=replacement)
    return make_sampler(recipe, rows=rows, seed=seed, epochs=50)


@given(rows=st.integers(2, 80), part=st.floats(0.05, 1), seed=st.integers(0, 1000), epochs=st.integers(1, 25))
@settings(deadline=None, max_examples=60)
def test_the_walk_shows_every_row_equally_often_to_within_one(rows: int, part: float, seed: int, epochs: int) -> None:
    count = max(2, round(part * rows))
    sampler = make(rows, count, seed)
    counts = np.zeros(rows, np.int64)
    for epoch in range(epochs):
        shown = sampler.plan(epoch).rows
        assert len(set(shown.tolist())) == len(shown) == count
        counts[shown] += 1
        assert counts.max() - counts.min() <= 1
        assert counts.min() == (epoch + 1) * count // rows


def test_all_rows_are_seen_in_one_walk_also_when_alpha_does_not_divide_them() -> None:
    sampler = make(50, 0.3)
    seen = np.concatenate([sampler.plan(epoch).rows for epoch in range(math.ceil(1 / 0.3))])
    assert set(seen.tolist()) == set(range(50))


def test_epochs_may_be_asked_for_in_any_order() -> None:
    sampler = make(50, 0.3)
    plans = [sampler.plan(epoch).rows for epoch in range(9)]
    for epoch in (8, 2, 5, 5, 0, 7):
        assert np.array_equal(sampler.plan(epoch).rows, plans[epoch])
        assert np.array_equal(make(50, 0.3).plan(epoch).rows, plans[epoch])


def test_every_row_is_as_likely_in_an_epoch_that_ends_one_walk_and_opens_another() -> None:
    counts = np.bincount(np.concatenate([make(10, 7, seed).plan(1).rows for seed in range(400)]), minlength=10)
    # 280 expected, standard deviation 9
    assert np.abs(counts - 280).max() < 45


def test_two_walks_are_not_the_same() -> None:
    sampler = make(50, 0.5)
    assert set(sampler.plan(0).rows.tolist()) != set(sampler.plan(2).rows.tolist())


def test_with_replacement_each_epoch_chooses_without_regard_to_the_last() -> None:
    sampler = make(200, 0.5, replacement=True)
    parts = [set(sampler.plan(epoch).rows.tolist()) for epoch in range(20)]
    assert {len(part) for part in parts} == {100}
    overlaps = [len(one & other) for one, other in pairwise(parts)]
    assert 0 < min(overlaps) <= max(overlaps) < 100
    # half of one half are in the next; standard deviation of the mean of 19 is 0.8
    assert abs(np.mean(overlaps) - 50) < 5
