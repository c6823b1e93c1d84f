import numpy as np
import pytest

from ligera.deploy.enrolling.operating import judge, roc_points, thresholds_at
from ligera.errors import UsageError

LABELS = np.array([0] * 4 + [-1] * 100)
LOGITS = np.concatenate([[3.0, 2.0, 1.0, -5.0], np.linspace(-4, 0.5, 100)])[:, None]


@pytest.mark.parametrize("far", [0.001, 0.01, 0.05, 0.3])
def test_no_more_strangers_pass_than_were_allowed(far: float) -> None:
    generator = np.random.default_rng(0)
    logits = np.concatenate([generator.normal(1.5, 1, 40), generator.normal(0, 1, 200)])[:, None]
    own = np.arange(240) < 40
    (threshold,) = thresholds_at(logits, np.where(own, 0, -1), far)
    passed = logits[~own, 0] > threshold
    assert passed.sum() <= far * 200
    # one stranger more than allowed would be needed to accept one more of the person's faces
    refused = logits[own & (logits[:, 0] <= threshold), 0]
    assert (logits[~own, 0] > refused.max()).sum() >= int(far * 200)


def test_nobody_is_let_in_when_that_gains_no_face_of_the_person() -> None:
    logits = np.array([[3.0], [2.9], [1.0], [0.9], [0.8], [-1.0]])
    (threshold,) = thresholds_at(logits, np.array([0, 0, -1, -1, -1, -1]), 0.5)
    assert threshold == pytest.approx(1.95)


def test_where_no_own_face_is_above_the_strangers_nobody_passes() -> None:
    logits = np.array([[-3.0], [1.0], [0.5]])
    assert thresholds_at(logits, np.array([0, -1, -1]), 0.1)[0] > 1


def test_the_threshold_lies_between_the_strangers_and_the_person() -> None:
    assert thresholds_at(LOGITS, LABELS, 0.001)[0] == pytest.approx(0.75)


def test_equal_logits_of_strangers_pass_together_or_not_at_all() -> None:
    logits = np.array([[2.0]] + [[1.0]] * 10)
    threshold = thresholds_at(logits, np.array([0] + [-1] * 10), 0.2)
    assert not (logits[1:] > threshold).any() and logits[0, 0] > threshold[0]


def test_the_other_persons_are_strangers_too() -> None:
    labels = np.array([0, 0, 1, 1])
    logits = np.array([[2.0, -1], [1, 0], [0.5, 3], [-1, 2]])
    thresholds = thresholds_at(logits, labels, 0.01)
    assert thresholds == pytest.approx([0.75, 1.0])
    outcome = judge(logits, labels, thresholds)
    assert outcome.accuracy.value == 1 and outcome.accepted.total == 4 and outcome.false_accepts.total == 0
    assert outcome.as_dict()["false_accepts"]["value"] is None


def test_a_face_that_passes_for_two_gets_the_name_it_exceeds_most() -> None:
    outcome = judge(np.array([[2.0, 3.0]]), np.array([0]), np.array([0.0, 2.5]))
    assert outcome.accepted.right == 1


def test_strangers_by_any_name_are_false_accepts() -> None:
    outcome = judge(np.array([[-1.0, 1.0], [-1.0, -1.0]]), np.array([-1, -1]), np.zeros(2))
    assert (outcome.false_accepts.right, outcome.false_accepts.total, outcome.accuracy.right) == (1, 2, 1)
    assert outcome.false_accepts.interval[0] < 0.5 < outcome.false_accepts.interval[1]


@pytest.mark.parametrize("far", [0, 1, -0.1])
def test_a_rate_out_of_range_is_refused(far: float) -> None:
    with pytest.raises(UsageError, match="--far: expected a share between 0 and 1"):
        thresholds_at(LOGITS, LABELS, far)


def test_a_curve_starts_at_nothing_ends_at_all_and_joins_equal_scores() -> None:
    false_rate, hit_rate = roc_points(np.array([3.0, 2, 2, 1]), np.array([True, True, False, False]))
    assert false_rate.tolist() == [0, 0, 0.5, 1]
    assert hit_rate.tolist() == [0, 0.5, 1, 1]
