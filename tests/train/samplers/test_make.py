from typing import Any

import numpy as np
import pytest

from ligera.errors import RecipeError
from ligera.train.samplers import SamplerRecipe, make_sampler


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "static", "alpha": 51}, ["sampler.alpha: 51", "50 samples"]),
        ({"kind": "rs2", "alpha": 60_000}, ["sampler.alpha: 60,000", "50 samples"]),
        ({"kind": "static", "alpha": 0.001}, ["sampler.alpha: 0.001", "larger"]),
        ({"kind": "dynamic", "alpha": 0.8, "beta": 0.5}, ["sampler.beta: 0.5 of 40", "20 to replace", "only 10 of 50"]),
        ({"kind": "dynamic", "alpha": 50, "beta": 0.1}, ["sampler.beta", "only 0 of 50"]),
        ({"kind": "dynamic", "alpha": 3, "beta": 0.1}, ["sampler.beta: 0.1 of 3", "larger"]),
    ],
)
def test_a_recipe_that_does_not_go_with_the_data_is_refused_in_one_line(
    values: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(RecipeError) as caught:
        make_sampler(SamplerRecipe(**values), rows=50, seed=0, epochs=5)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_part_that_would_draw_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="not one sample"):
        make_sampler(SamplerRecipe(kind="static", alpha=2), rows=50, samples_per_epoch=5, seed=0, epochs=1)


def test_alpha_counts_only_the_rows_that_may_be_shown() -> None:
    weights = np.repeat([0.0, 1.0], 25)
    with pytest.raises(RecipeError, match="25 samples"):
        make_sampler(SamplerRecipe(kind="static", alpha=30), rows=50, weights=weights, seed=0, epochs=1)
    sampler = make_sampler(SamplerRecipe(kind="static", alpha=0.4), rows=50, weights=weights, seed=0, epochs=1)
    assert len(sampler.plan(0)) == sampler.fewest_rows == 10


def test_a_part_of_the_rows_takes_that_part_of_the_samples_per_epoch() -> None:
    for kind in ("static", "dynamic", "rs2"):
        recipe = SamplerRecipe(kind=kind, alpha=0.3)
        sampler = make_sampler(recipe, rows=50, samples_per_epoch=200, seed=0, epochs=1)
        assert len(sampler.plan(0)) == sampler.fewest_rows == 60


def test_alpha_of_one_is_the_whole_and_beta_of_none_replaces_nothing() -> None:
    recipe = SamplerRecipe(kind="dynamic", alpha=1, beta=0)
    sampler = make_sampler(recipe, rows=50, seed=0, epochs=3)
    sampler.observe(0, 0.5)
    sampler.observe(1, 0.5)
    assert sorted(sampler.plan(2).rows) == list(range(50))
