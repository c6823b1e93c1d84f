"""What every sampler keeps to, whatever its kind: the same plans again, from any moment, for any process count."""

import io
import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.train.samplers import EpochPlan, Sampler, SamplerRecipe, make_sampler
from ligera.train.sampling import batches

EPOCHS = 6
BATCH = 7
RECIPES: tuple[dict[str, Any], ...] = (
    {"kind": "full"},
    {"kind": "static", "alpha": 0.4},
    {"kind": "dynamic", "alpha": 0.5, "beta": 0.4, "delta": 0.3},
    {"kind": "dynamic", "alpha": 0.3, "beta": 0.7, "delta": 0.4, "design": "variant", "gamma": 0.9},
    {"kind": "rs2", "alpha": 0.3},
    {"kind": "rs2", "alpha": 0.3, "replacement": True},
    {"kind": "infobatch", "prune": 0.6, "anneal": 0.2},
)
recipes = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: "-".join(map(str, recipe.values())))


def make(recipe: dict[str, Any], rows: int = 53, seed: int = 4, weights: np.ndarray | None = None) -> Sampler:
    return make_sampler(SamplerRecipe(**recipe), rows=rows, seed=seed, epochs=EPOCHS, weights=weights)


def life(sampler: Sampler, chance: int, epoch: int = 0, step: int = 0) -> Iterator[tuple[int, int, EpochPlan]]:
    """The run of a sampler from a ``step`` of an ``epoch`` on, stopping before each step and each end of an epoch."""
    while epoch < EPOCHS:
        plan = sampler.plan(epoch)
        steps = len(plan) // BATCH
        while step < steps:
            yield epoch, step, plan
            rows = plan.rows[step * BATCH : (step + 1) * BATCH]
            losses = np.random.default_rng([chance, epoch, step]).exponential(size=BATCH).astype(np.float32)
            sampler.watch(epoch, rows, losses)
            step += 1
        yield epoch, step, plan
        sampler.observe(epoch, float(np.random.default_rng([chance, epoch]).random()))
        epoch, step = epoch + 1, 0


def same(one: EpochPlan, other: EpochPlan) -> bool:
    return np.array_equal(one.rows, other.rows) and np.array_equal(one.weights, other.weights)


def through_a_checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save({"sampler": state}, file)
    file.seek(0)
    return torch.load(file, weights_only=True)["sampler"]


@recipes
@given(chance=st.integers(0, 1000), moment=st.integers(0, 60), weighted=st.booleans())
@settings(deadline=None, max_examples=15)
def test_a_run_taken_up_at_any_moment_shows_what_it_would_have_shown(
    recipe: dict[str, Any], chance: int, moment: int, weighted: bool
) -> None:
    weights = np.linspace(0.1, 3, 53) if weighted else None
    moments = list(life(make(recipe, weights=weights), chance))
    moment %= len(moments)
    killed = make(recipe, weights=weights)
    for _ in zip(range(moment + 1), life(killed, chance), strict=False):
        pass
    resumed = make(recipe, weights=weights)
    resumed.restore(through_a_checkpoint(killed.state()))
    epoch, step, _ = moments[moment]
    again = list(life(resumed, chance, epoch, step))
    assert [entry[:2] for entry in again] == [entry[:2] for entry in moments[moment:]]
    assert all(same(one[2], other[2]) for one, other in zip(again, moments[moment:], strict=True))


@recipes
def test_a_state_does_not_change_when_its_sampler_goes_on(recipe: dict[str, Any]) -> None:
    sampler = make(recipe)
    going = life(sampler, chance=1)
    for _ in range(9):
        next(going)
    state = sampler.state()
    before = through_a_checkpoint(state)
    for _ in going:
        pass
    after = through_a_checkpoint(state)
    for name, value in before.items():
        assert (
            torch.equal(value.nan_to_num(), after[name].nan_to_num())
            if torch.is_tensor(value)
            else value == after[name]
        )


@recipes
def test_the_world_s_chance_is_neither_used_nor_changed(recipe: dict[str, Any]) -> None:
    quiet = [plan for *_, plan in life(make(recipe), chance=2)]
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    loud = [plan for *_, plan in life(make(recipe), chance=2)]
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states
    assert all(same(one, other) for one, other in zip(quiet, loud, strict=True))


@recipes
def test_another_seed_is_another_order_and_each_epoch_has_its_own(recipe: dict[str, Any]) -> None:
    sampler = make(recipe)
    first = sampler.plan(0)
    sampler.observe(0, 0.5)
    assert not same(first, sampler.plan(1))
    assert not same(first, make(recipe, seed=5).plan(0))


@recipes
@given(rows=st.integers(8, 200), chance=st.integers(0, 100), weighted=st.booleans())
@settings(deadline=None, max_examples=10)
def test_plans_hold_rows_that_may_be_shown_and_never_fewer_than_promised(
    recipe: dict[str, Any], rows: int, chance: int, weighted: bool
) -> None:
    weights = np.random.default_rng(chance).integers(0, 4, rows) if weighted else np.ones(rows)
    if (weights > 0).sum() < 8:
        weights = np.ones(rows)
    sampler = make(recipe, rows=rows, weights=weights)
    for *_, plan in life(sampler, chance):
        assert len(plan) >= sampler.fewest_rows
        assert (weights[plan.rows] > 0).all()
        assert (plan.weights > 0).all()
        if not weighted:
            assert len(set(plan.rows.tolist())) == len(plan)


@recipes
@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_processes_share_each_global_batch_of_a_plan_without_overlap(recipe: dict[str, Any], world: int) -> None:
    for epoch, step, plan in life(make(recipe), chance=3):
        if step:
            continue
        parts = [list(batches(plan, seed=4, epoch=epoch, batch=6, rank=rank, world=world)) for rank in range(world)]
        for number, shares in enumerate(zip(*parts, strict=True)):
            keys = sorted((key for share in shares for key in share), key=lambda key: key.position)
            assert [key.position for key in keys] == list(range(6 * number, 6 * number + 6))
            assert [key.index for key in keys] == plan.rows[6 * number : 6 * number + 6].tolist()
            assert [key.weight for key in keys] == plan.weights[6 * number : 6 * number + 6].tolist()


@pytest.mark.parametrize(
    "recipe",
    [
        {"kind": "full"},
        {"kind": "dynamic", "alpha": 0.5, "beta": 0.2, "delta": 0.1},
        {"kind": "dynamic", "alpha": 0.5, "beta": 0.2, "delta": 0.1, "design": "variant"},
        {"kind": "rs2", "alpha": 0.3},
        {"kind": "rs2", "alpha": 0.3, "replacement": True},
        {"kind": "infobatch", "prune": 0.5, "anneal": 0},
    ],
)
@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=5)
def test_every_sample_is_eventually_in_a_batch_although_incomplete_batches_are_left_out(
    recipe: dict[str, Any], seed: int
) -> None:
    sampler = make_sampler(SamplerRecipe(**recipe), rows=40, seed=seed, epochs=150)
    seen: set[int] = set()
    for epoch in range(150):
        plan = sampler.plan(epoch)
        for number, keys in enumerate(batches(plan, seed=seed, epoch=epoch, batch=7)):
            rows = np.array([key.index for key in keys])
            seen |= set(rows.tolist())
            sampler.watch(epoch, rows, np.random.default_rng([seed, epoch, number]).random(7))
        sampler.observe(epoch, 0.5)
    assert seen == set(range(40))


@pytest.mark.parametrize(("recipe", "other"), list(itertools.permutations(RECIPES, 2)))
def test_the_state_of_another_sampler_is_refused(recipe: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        make(recipe).restore(make(other).state())


@recipes
def test_the_state_of_another_data_set_or_seed_is_refused(recipe: dict[str, Any]) -> None:
    for other in (make(recipe, rows=54), make(recipe, seed=5), make(recipe, weights=np.arange(53))):
        with pytest.raises((KeyError, TypeError, ValueError)):
            make(recipe).restore(other.state())


@recipes
@pytest.mark.parametrize("state", [None, {}, [], "state", {"kind": "full"}, 3])
def test_what_is_no_state_is_refused(recipe: dict[str, Any], state: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        make(recipe).restore(state)


@recipes
def test_a_refused_state_leaves_the_sampler_as_it_was(recipe: dict[str, Any]) -> None:
    sampler, twin = make(recipe), make(recipe)
    state = sampler.state()
    for name in list(state):
        for wrong in (torch.full((53,), -1), torch.zeros(2), "x", None, {}):
            if state[name] is None and wrong is None:
                continue
            with pytest.raises((KeyError, TypeError, ValueError)):
                sampler.restore(state | {name: wrong})
            assert same(sampler.plan(0), twin.plan(0))
