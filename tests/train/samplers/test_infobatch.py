import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.train.samplers.infobatch import InfoBatchSampler
from ligera.train.samplers.pool import make_pool


def make(
    rows: int = 100, prune: float = 0.5, anneal: float = 0.0, epochs: int = 10, seed: int = 0, **pool: object
) -> InfoBatchSampler:
    made = make_pool(rows, pool.get("weights"), pool.get("samples_per_epoch"))
    return InfoBatchSampler(made, seed, prune=prune, anneal=anneal, epochs=epochs)


def told(sampler: InfoBatchSampler, losses: np.ndarray, epoch: int = 0) -> InfoBatchSampler:
    """``sampler`` after an epoch in which every row had its loss."""
    sampler.watch(epoch, np.arange(len(losses)), losses)
    sampler.observe(epoch, None)
    return sampler


def test_the_first_epoch_shows_everything() -> None:
    plan = make().plan(0)
    assert sorted(plan.rows) == list(range(100))
    assert plan.weights.tolist() == [1] * 100


def test_of_the_small_losses_a_share_is_left_out_and_the_others_count_for_it() -> None:
    losses = np.arange(100, dtype=np.float32)
    plan = told(make(prune=0.6), losses).plan(1)
    small = plan.rows < 50
    assert sorted(plan.rows[~small]) == list(range(50, 100))
    assert plan.weights[~small].tolist() == [1] * 50
    assert small.sum() == 20
    assert plan.weights[small] == pytest.approx(2.5)


@given(rows=st.integers(2, 150), prune=st.floats(0, 0.95), seed=st.integers(0, 1000), heavy=st.floats(0.1, 3))
@settings(deadline=None, max_examples=60)
def test_what_is_shown_is_large_or_a_rescaled_small_loss_once(rows: int, prune: float, seed: int, heavy: float) -> None:
    losses = np.random.default_rng(seed).lognormal(0, heavy, rows).astype(np.float32)
    plan = told(make(rows, prune, seed=seed), losses).plan(1)
    small = losses < losses.astype(np.float64).mean()
    shown = np.zeros(rows)
    shown[plan.rows] += plan.weights
    assert len(set(plan.rows.tolist())) == len(plan)
    assert (shown[~small] == 1).all()
    assert set(shown[small].tolist()) <= {0.0, float(np.float32(1 / (1 - prune)))}
    kept = (shown[small] > 0).sum()
    assert abs(kept - (1 - prune) * small.sum()) < 1
    assert len(plan) >= make(rows, prune).fewest_rows


def test_the_expected_weight_of_every_sample_is_one() -> None:
    losses = np.array([0.0, 0.1, 0.2, 5.0, 6.0], np.float32)
    total = np.zeros(5)
    for seed in range(3000):
        plan = told(make(5, prune=0.5, seed=seed), losses).plan(1)
        total[plan.rows] += plan.weights
    # weights 0 and 2 are as likely: standard deviation of the mean 0.018
    assert np.abs(total / 3000 - 1).max() < 0.08


def test_a_sample_never_shown_or_with_no_finite_loss_is_never_left_out() -> None:
    sampler = make(60, prune=0.9)
    losses = np.linspace(0, 1, 40)
    losses[[3, 4, 5]] = np.nan, np.inf, -np.inf
    told(sampler, losses)
    shown = set(sampler.plan(1).rows.tolist())
    assert {3, 4, 5, *range(40, 60)} <= shown
    assert len(shown) < 60


def test_losses_that_are_all_the_same_leave_nothing_out() -> None:
    for loss in (0.0, 0.1, 3.0):
        assert len(told(make(rows=77), np.full(77, loss, np.float32)).plan(1)) == 77


def test_a_few_crowded_pictures_do_not_empty_the_epoch() -> None:
    losses = np.full(100, 0.01, np.float32)
    losses[0] = 1e6
    plan = told(make(prune=0.5), losses).plan(1)
    assert len(plan) in (50, 51)
    assert 0 in plan.rows


def test_the_plan_in_progress_does_not_follow_the_losses_that_it_brings() -> None:
    sampler = told(make(), np.arange(100))
    before = sampler.plan(1)
    sampler.watch(1, np.arange(100), np.arange(100)[::-1])
    assert np.array_equal(sampler.plan(1).rows, before.rows)
    sampler.observe(1, None)
    assert sorted(sampler.plan(2).rows)[:50] == list(range(50))


def test_the_last_epochs_show_everything() -> None:
    sampler = make(anneal=0.3, epochs=10)
    sizes = []
    for epoch in range(10):
        plan = sampler.plan(epoch)
        sizes.append(len(plan))
        told(sampler, np.arange(100), epoch)
    assert sizes == [100, *[75] * 6, 100, 100, 100]


@pytest.mark.parametrize(("anneal", "epochs", "full"), [(0.125, 200, 25), (0.125, 3, 1), (0.1, 30, 3), (0, 5, 0)])
def test_a_share_of_the_epochs_is_annealed_and_at_least_one_when_any(anneal: float, epochs: int, full: int) -> None:
    sampler = told(make(anneal=anneal, epochs=epochs), np.arange(100))
    assert sum(len(sampler.plan(epoch)) == 100 for epoch in range(epochs)) == full


def test_the_order_in_which_a_batch_was_gathered_does_not_matter() -> None:
    generator = np.random.default_rng(0)
    rows = generator.integers(0, 30, 64)
    losses = generator.random(64).astype(np.float32)
    losses[5] = np.nan
    one, other = make(30), make(30)
    order = generator.permutation(64)
    one.watch(0, rows, losses)
    other.watch(0, rows[order], losses[order])
    assert one.state()["losses"].nan_to_num(-1).tolist() == other.state()["losses"].nan_to_num(-1).tolist()


def test_of_a_row_that_a_batch_holds_twice_the_larger_loss_counts() -> None:
    sampler = make(3)
    sampler.watch(0, np.array([1, 1, 2]), np.array([5.0, 2.0, 3.0]))
    assert sampler.state()["losses"].tolist()[1:] == [5.0, 3.0]


def test_draws_by_weight_keep_their_proportions_on_average() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    losses = np.array([0.0, 9.0, 0.0, 0.0, 9.0], np.float32)
    total = np.zeros(5)
    for seed in range(600):
        sampler = told(make(5, prune=0.5, seed=seed, weights=weights, samples_per_epoch=40), losses)
        plan = sampler.plan(1)
        assert len(plan) >= sampler.fewest_rows
        np.add.at(total, plan.rows, plan.weights)
    assert total / 600 == pytest.approx(2 * weights, rel=0.06)


def test_losses_too_large_for_their_type_are_as_good_as_none() -> None:
    sampler = make(2)
    sampler.watch(0, np.array([0, 1]), np.array([1e300, 1.0]))
    assert sampler.state()["losses"].isnan().tolist() == [True, False]


@pytest.mark.parametrize(("rows", "losses"), [([0, 100], [1.0, 1.0]), ([-1], [1.0]), ([0, 1], [1.0]), ([[0]], [[1.0]])])
def test_losses_of_rows_that_are_not_there_are_refused(rows: list, losses: list) -> None:
    with pytest.raises(ValueError, match="expected"):
        make().watch(0, np.array(rows), np.array(losses))


def test_a_batch_without_a_share_for_anyone_is_nothing_new() -> None:
    sampler = make(3)
    sampler.watch(0, np.zeros(0, np.int64), np.zeros(0, np.float32))
    assert sampler.state()["losses"].isnan().all()


def test_it_asks_for_losses_alone() -> None:
    sampler = make(100, prune=0.3)
    assert (sampler.wants_losses, sampler.wants_score, sampler.fewest_rows) == (True, False, 70)
