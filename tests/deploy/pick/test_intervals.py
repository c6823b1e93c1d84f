"""How sure figures are: promises that fresh processes keep, pruning that does not drop a winner."""

import numpy as np
import pytest

from ligera.deploy.pick.evidence import Screening, Visit
from ligera.deploy.pick.intervals import accuracy_of, latency_of, screened, surely_not_better, surely_worse
from ligera.deploy.pick.judging import redraws


def visit(times: np.ndarray, noise: tuple[str, ...] = ()) -> Visit:
    part = tuple(times.tolist())
    return Visit((part,), (part,), (None,), (len(part),), "estimated", "", 1.0, None, noise, "now")


def processes(count: int, seed: int) -> list[Visit]:
    """Processes whose times differ by 3 % from each other, and more within each."""
    random = np.random.default_rng(seed)
    return [visit(8 * random.lognormal(0, 0.03) * random.lognormal(0, 0.1, 72)) for _ in range(count)]


def test_a_percentile_is_that_of_all_calls_together() -> None:
    found = latency_of([visit(np.arange(1, 51.0)), visit(np.arange(51, 101.0))], 95)
    assert found.value == pytest.approx(np.quantile(np.arange(1, 101), 0.95))
    assert (found.p50, found.calls, found.visits) == (50.5, 100, 2)
    assert found.low < found.value < found.high <= found.promised


def test_a_single_process_promises_nothing() -> None:
    assert latency_of([visit(np.ones(10))], 95).promised is None


def test_a_fresh_process_keeps_the_promise_nine_times_in_ten() -> None:
    kept = 0
    for seed in range(200):
        *seen, fresh = processes(5, seed)
        kept += latency_of([fresh], 95).value <= latency_of(seen, 95).promised
    assert kept >= 180


def test_a_promise_is_not_much_more_than_what_was_seen() -> None:
    found = latency_of(processes(4, 1), 95)
    assert found.promised < 1.2 * found.value


def test_a_few_runs_bound_the_percentile_from_both_sides() -> None:
    low, high = screened(Screening((8.0, 8.0, 8.0, 9.0), 0.008, 8.0))
    assert low < 8 and high > 9


def test_on_a_busy_machine_only_the_work_itself_counts_as_the_least() -> None:
    quiet, busy = (Screening((20.0, 24.0, 21.0), 0.008, 8.0, busy=flag) for flag in (False, True))
    assert screened(quiet)[0] > 15 and screened(busy)[0] < 8


def test_intervals_hold_95_percent_of_redrawn_scores_and_leave_out_what_has_none() -> None:
    found = accuracy_of(0.5, np.append(np.linspace(0, 1, 101), np.nan), 160)
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))
    assert accuracy_of(0.5, np.full(3, np.nan), 1).low is None


def test_models_that_agree_on_the_few_pictures_seen_are_not_taken_for_equal() -> None:
    same = np.full(100, 0.5)
    assert not surely_not_better(same, same, seen=20, count=160)
    assert surely_not_better(same, same, seen=160, count=160)


def test_a_large_difference_shows_early_and_a_small_one_late() -> None:
    worse, better = np.full(100, 0.2), np.full(100, 0.6)
    assert surely_worse(worse, better, seen=20, count=160)
    assert not surely_worse(worse, worse + 0.1, seen=20, count=160)
    assert surely_worse(worse, worse + 0.1, seen=150, count=160)
    assert not surely_worse(np.full(3, np.nan), np.full(3, np.nan), seen=160, count=160)


def test_all_models_are_judged_on_the_same_redrawn_pictures() -> None:
    drawn = redraws(40, 10)
    assert drawn.shape == (10, 40) and (drawn.sum(axis=1) == 40).all()
    np.testing.assert_array_equal(drawn, redraws(40, 10))
