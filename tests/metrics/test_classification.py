"""Figures of a classifier, held against numbers worked out by hand and against their own definitions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ligera.metrics.classification import classification_scores, confusion_matrix, wilson_interval

NAMES = ("cat", "dog", "owl")
# Answers cat cat dog owl cat dog, truth cat cat cat dog dog dog: nothing is an owl, one dog is taken for one.
SCORES = np.eye(3)[[0, 0, 1, 2, 0, 1]]
LABELS = np.array([0, 0, 0, 1, 1, 1])


def test_six_pictures_worked_out_by_hand() -> None:
    result = classification_scores(SCORES, LABELS)
    assert result.accuracy == 0.5 and result.pictures == 6
    assert result.confusion.tolist() == [[2, 1, 0], [1, 1, 1], [0, 0, 0]]
    np.testing.assert_allclose(result.precision, [2 / 3, 1 / 2, 0])
    np.testing.assert_allclose(result.recall, [2 / 3, 1 / 3, np.nan])
    np.testing.assert_allclose(result.f1, [2 / 3, 2 / 5, 0])
    assert result.support.tolist() == [3, 3, 0]
    assert result.balanced_accuracy == pytest.approx(1 / 2)
    assert result.top5 is None


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons_as_published(right: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=5e-5)


@given(total=st.integers(1, 100_000), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_the_ends_of_the_interval_are_as_many_errors_away_as_the_level_says(
    total: int, share: float, level: float
) -> None:
    right = round(share * total)
    low, high = wilson_interval(right, total, level)
    assert 0 <= low <= right / total <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            distance = abs(right / total - end) / math.sqrt(end * (1 - end) / total)
            inside = (1 + math.erf(distance / math.sqrt(2))) / 2
            assert inside == pytest.approx((1 + level) / 2, abs=1e-6)


def test_more_pictures_say_it_more_surely() -> None:
    widths = [np.ptp(wilson_interval(total // 2, total)) for total in (10, 100, 1000)]
    assert widths[0] > widths[1] > widths[2]


def test_an_interval_of_nothing_is_unknown_and_of_nonsense_an_error() -> None:
    assert all(math.isnan(end) for end in wilson_interval(0, 0))
    for arguments in ((3, 2), (-1, 2), (1, 2, 1.0)):
        with pytest.raises(ValueError, match="expected 0 <= right <= total"):
            wilson_interval(*arguments)


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many equal ones, and labels."""
    count, classes = draw(st.integers(1, 40)), draw(st.integers(2, 14))
    scores = draw(hnp.arrays(np.float32, (count, classes), elements=st.integers(-3, 3)))
    return scores, draw(hnp.arrays(np.int64, count, elements=st.integers(0, classes - 1)))


@settings(max_examples=150, deadline=None)
@given(answers())
def test_every_figure_is_what_its_definition_counts(given_answers: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = given_answers
    result = classification_scores(scores, labels)
    given_labels = [max(range(len(row)), key=lambda k, row=row: (row[k], -k)) for row in scores.tolist()]
    pairs = list(zip(labels.tolist(), given_labels, strict=True))
    assert result.accuracy == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    recalls = []
    for label in range(scores.shape[1]):
        hits = sum(a == b == label for a, b in pairs)
        there, said = sum(a == label for a, _ in pairs), sum(b == label for _, b in pairs)
        assert result.support[label] == there
        _same(result.recall[label], hits, there)
        _same(result.precision[label], hits, said)
        _same(result.f1[label], 2 * hits, there + said)
        recalls += [hits / there] if there else []
    assert result.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls))
    assert result.confusion.sum() == len(pairs)
    assert (result.top5 is None) == (scores.shape[1] < 10)
    if result.top5 is not None:
        orders = [sorted(range(len(row)), key=lambda k, row=row: (-row[k], k)) for row in scores.tolist()]
        found = [label in order[:5] for label, order in zip(labels.tolist(), orders, strict=True)]
        assert result.top5 == pytest.approx(sum(found) / len(found)) and result.top5 >= result.accuracy


def _same(value: float, part: int, whole: int) -> None:
    assert value == pytest.approx(part / whole) if whole else math.isnan(value)


@settings(max_examples=50, deadline=None)
@given(answers(), st.randoms(use_true_random=False))
def test_the_order_of_pictures_and_the_scale_of_scores_change_nothing(given_answers, random) -> None:
    scores, labels = given_answers
    order = random.sample(range(len(labels)), len(labels))
    before, after = classification_scores(scores, labels), classification_scores(scores[order] * 7 + 3, labels[order])
    np.testing.assert_array_equal(before.confusion, after.confusion)
    assert (before.accuracy, before.top5) == (after.accuracy, after.top5)


def test_infinite_scores_are_scores() -> None:
    scores = np.array([[-np.inf, 0.0], [np.inf, 3.0]])
    assert classification_scores(scores, np.array([1, 0])).accuracy == 1


def test_no_pictures_leave_everything_unknown() -> None:
    result = classification_scores(np.zeros((0, 12)), np.zeros(0, np.int64))
    assert all(math.isnan(v) for v in (result.accuracy, result.low, result.high, result.balanced_accuracy, result.top5))
    assert np.isnan(result.recall).all() and result.pictures == 0


@pytest.mark.parametrize(
    ("scores", "labels", "complaint"),
    [
        (np.zeros(3), [0, 1, 0], r"scores: expected numbers \(N, K\)"),
        (np.zeros((3, 1)), [0, 0, 0], "two classes or more"),
        (np.array([["a", "b"]]), [0], "expected numbers"),
        (np.zeros((3, 2)), [0, 1], r"labels: expected \(3,\) whole numbers"),
        (np.zeros((2, 2)), [0.0, 1.0], "whole numbers, got float64"),
        (np.zeros((2, 2)), [0, 2], "labels: expected 0 to 1, got 0 to 2"),
        (np.zeros((2, 2)), [-1, 0], "got -1 to 0"),
        (np.array([[0, 1], [np.nan, 0]]), [0, 1], "1 of 2 rows hold NaN, row 1 first"),
    ],
)
def test_what_cannot_be_scored_is_an_error(scores: np.ndarray, labels: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        classification_scores(scores, np.array(labels))


def test_a_confusion_matrix_alone_takes_answers() -> None:
    matrix = confusion_matrix(np.array([0, 1, 1]), np.array([1, 1, 0]), 2)
    assert matrix.tolist() == [[0, 1], [1, 1]]
    with pytest.raises(ValueError, match="answers: expected 0 to 1"):
        confusion_matrix(np.array([0]), np.array([2]), 2)


def test_the_result_is_ready_for_json_with_unknown_as_null() -> None:
    plain = json.loads(json.dumps(classification_scores(SCORES, LABELS).as_dict(NAMES)))
    assert plain["accuracy"] == 0.5 and plain["top5"] is None
    assert plain["low"] < 0.5 < plain["high"]
    assert plain["classes"][2] == {"name": "owl", "precision": 0.0, "recall": None, "f1": 0.0, "support": 0}
    assert plain["confusion"][1] == [1, 1, 1]
    with pytest.raises(ValueError, match="names: expected 3"):
        classification_scores(SCORES, LABELS).as_dict(("cat", "dog"))
