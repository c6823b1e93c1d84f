import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.train.samplers import SamplerRecipe, make_sampler


@given(rows=st.integers(2, 300), alpha=st.floats(0.3, 1), seed=st.integers(0, 2**63 - 1))
@settings(deadline=None, max_examples=50)
def test_the_same_part_of_exactly_alpha_is_shown_in_every_epoch(rows: int, alpha: float, seed: int) -> None:
    sampler = make_sampler(SamplerRecipe(kind="static", alpha=alpha), rows=rows, seed=seed, epochs=3)
    parts = []
    for epoch in range(3):
        parts.append(sampler.plan(epoch).rows)
        sampler.observe(epoch, 0.1 * epoch)
    assert len(set(parts[0].tolist())) == len(parts[0]) == round(alpha * rows)
    assert set(parts[0].tolist()) == set(parts[1].tolist()) == set(parts[2].tolist())


def test_alpha_above_one_is_a_count() -> None:
    assert len(make_sampler(SamplerRecipe(kind="static", alpha=20), rows=60, seed=0, epochs=1).plan(0)) == 20


def test_every_row_is_as_likely_to_be_in_the_part() -> None:
    recipe = SamplerRecipe(kind="static", alpha=0.5)
    parts = [make_sampler(recipe, rows=10, seed=seed, epochs=1).plan(0).rows for seed in range(400)]
    counts = np.bincount(np.concatenate(parts), minlength=10)
    # 200 expected, standard deviation 10
    assert np.abs(counts - 200).max() < 45


def test_a_dynamic_run_of_the_same_seed_starts_from_the_same_part() -> None:
    kinds = ("static", "dynamic", "rs2")
    plans = [make_sampler(SamplerRecipe(kind=kind), rows=40, seed=9, epochs=4).plan(0).rows for kind in kinds]
    assert np.array_equal(plans[0], plans[1])
    assert np.array_equal(plans[0], plans[2])
