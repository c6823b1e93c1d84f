from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.errors import RecipeError
from ligera.train.samplers.dynamic import DynamicSampler
from ligera.train.samplers.pool import make_pool

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def base(rows: int = 100, count: int = 40, beta: float = 0.3, delta: float = 0.01, seed: int = 0) -> DynamicSampler:
    return DynamicSampler(make_pool(rows, None, None), seed, count, beta=beta, delta=delta)


def variant(rows: int = 100, count: int = 40, beta: float = 0.3, gamma: float = 0.9, seed: int = 0) -> DynamicSampler:
    pool = make_pool(rows, None, None)
    return DynamicSampler(pool, seed, count, beta=beta, delta=0.1, design="variant", gamma=gamma)


def parts(sampler: DynamicSampler, scores: Sequence[float]) -> list[set[int]]:
    """A before the first epoch and after each score."""
    found = [set(sampler.plan(0).rows.tolist())]
    for epoch, score in enumerate(scores):
        sampler.observe(epoch, score)
        found.append(set(sampler.plan(epoch + 1).rows.tolist()))
    return found


@given(rows=st.integers(2, 120), alpha=st.floats(0.05, 0.5), beta=st.floats(0, 1), scores=SCORES, kind=st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_keeps_its_size_and_exactly_beta_of_it_comes_from_outside(
    rows: int, alpha: float, beta: float, scores: list[float], kind: bool
) -> None:
    count = max(1, int(alpha * rows))
    sampler = variant(rows, count, beta, gamma=1.0) if kind else base(rows, count, beta, delta=0.1)
    found = parts(sampler, scores)
    best = found[0]
    highest = -1.0
    for last, now, number in zip(found, found[1:], range(len(scores)), strict=False):
        best, highest = (last, scores[number]) if scores[number] > highest else (best, highest)
        assert len(now) == count
        assert now <= set(range(rows))
        new_to_a, new_to_best = len(now - last), len(now - best)
        assert new_to_a in (0, round(count * beta)) or new_to_best == round(count * beta)


def test_the_base_design_resamples_when_the_score_hardly_moved_and_only_then() -> None:
    found = parts(base(), [0.50, 0.505, 0.497, 0.60, 0.40, 0.40])
    changed = [len(now - last) for last, now in pairwise(found)]
    assert changed == [0, 12, 12, 0, 0, 12]


def test_the_first_epoch_has_nothing_to_be_compared_with() -> None:
    for sampler in (base(), variant()):
        first, second = parts(sampler, [0.0])
        assert first == second


def test_a_change_of_exactly_delta_is_progress() -> None:
    for sampler in (
        base(delta=0.25),
        DynamicSampler(make_pool(9, None, None), 0, 3, beta=0.5, delta=0.25, design="variant"),
    ):
        first, _, third = parts(sampler, [0.5, 0.75])
        assert first == third


@pytest.mark.parametrize("scores", [[0.46, 0.47], [0.50, 0.51], [0.85, 0.86], [0.29, 0.28]])
def test_that_also_holds_for_scores_that_binary_numbers_only_come_near(scores: list[float]) -> None:
    found = parts(base(delta=0.01), scores)
    assert found[2] == found[1]


def test_the_variant_resamples_type_one_when_the_score_fell_or_stood() -> None:
    found = parts(variant(), [0.5, 0.5, 0.2])
    assert len(found[2] - found[1]) == len(found[3] - found[2]) == 12


def test_the_variant_keeps_a_when_the_score_leapt() -> None:
    found = parts(variant(), [0.5, 0.7])
    assert found[2] == found[1]


def test_the_variant_goes_back_to_the_best_part_when_the_score_crept_up() -> None:
    # the part of epoch 0 scores best; two falls move A away from it; then a small rise
    found = parts(variant(rows=400, gamma=1.0), [0.9, 0.5, 0.4, 0.45])
    best, last, now = found[0], found[3], found[4]
    assert len(now & best) == 40 - 12
    assert len(now - best) == 12
    assert len(now - last) > 12


def test_the_best_part_may_be_the_one_that_just_scored() -> None:
    found = parts(variant(rows=400, gamma=1.0), [0.5, 0.4, 0.45, 0.51])
    assert len(found[4] - found[3]) == 12


def test_of_equally_good_parts_the_first_is_the_best() -> None:
    # after the fall to 0.4 another part reaches 0.6 as well
    found = parts(variant(rows=400, gamma=1.0), [0.6, 0.4, 0.6, 0.5, 0.55])
    assert found[2] != found[0]
    assert len(found[5] & found[0]) == 28


@given(gamma=st.floats(0.5, 1), beta=st.floats(0, 1))
@settings(deadline=None, max_examples=50)
def test_beta_of_type_two_shrinks_by_gamma_each_epoch(gamma: float, beta: float) -> None:
    sampler = variant(gamma=gamma, beta=beta)
    assert sampler.beta_at(0) == pytest.approx(gamma * beta)
    for epoch in range(20):
        assert sampler.beta_at(epoch + 1) == pytest.approx(gamma * sampler.beta_at(epoch))


def test_type_two_replaces_what_the_shrunken_beta_says_and_type_one_what_the_first_said() -> None:
    # creeping up by 0.01 each epoch: type II from the part that just scored
    found = parts(variant(rows=400, count=100, beta=0.5), [0.1 + 0.01 * epoch for epoch in range(12)])
    replaced = [len(now - last) for last, now in pairwise(found[1:])]
    assert replaced == [round(100 * 0.5 * 0.9 ** (epoch + 1)) for epoch in range(1, 12)]
    sampler = variant(rows=400, count=100, beta=0.5)
    found = parts(sampler, [0.5] * 12)
    assert [len(now - last) for last, now in pairwise(found[1:])] == [50] * 11


def test_halves_are_rounded_to_the_even_number() -> None:
    for count, beta, replaced in ((25, 0.1, 2), (25, 0.3, 8), (5, 0.5, 2)):
        found = parts(base(count=count, beta=beta), [0.5, 0.5])
        assert len(found[2] - found[1]) == replaced


@pytest.mark.parametrize("count", [15_000, 20_000, 25_000])
@pytest.mark.parametrize("beta", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
def test_the_paper_s_settings_are_met_to_the_sample(count: int, beta: float) -> None:
    found = parts(base(50_000, count, beta), [0.5, 0.5])
    assert len(found[2]) == count
    assert len(found[2] - found[1]) == count * round(10 * beta) // 10


def test_all_of_a_may_be_replaced() -> None:
    found = parts(base(count=50, beta=1.0), [0.5, 0.5])
    assert not found[1] & found[2]


def test_what_is_kept_and_what_is_new_are_chosen_evenly() -> None:
    counts = np.zeros(20)
    for seed in range(400):
        _, last, now = parts(base(20, 10, beta=0.5, seed=seed), [0.5, 0.5])
        old, new = sorted(last), sorted(set(range(20)) - last)
        counts[:10] += [row in now for row in old]
        counts[10:] += [row in now for row in new]
    # 200 expected each, standard deviation 10
    assert np.abs(counts - 200).max() < 45


@pytest.mark.parametrize("score", [None, float("nan"), 84.5, -0.1])
def test_a_score_that_cannot_be_one_is_refused_in_one_line(score: float | None) -> None:
    with pytest.raises(RecipeError, match="validation score from 0 to 1") as caught:
        base().observe(0, score)
    assert "\n" not in str(caught.value)


def test_it_asks_for_scores_alone() -> None:
    assert (base().wants_losses, base().wants_score, base().fewest_rows) == (False, True, 40)
