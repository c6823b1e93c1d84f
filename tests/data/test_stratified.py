"""A part set aside holds each class by its share, and together with the rest is everything once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.data.stratified import split_off
from ligera.errors import UsageError
from ligera.records import LabelledPictures


def labelled(counts: list[int], seed: int = 0) -> LabelledPictures:
    """So many pictures of each class, shuffled."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    names = tuple(f"class {number}" for number in range(len(counts)))
    return LabelledPictures(np.zeros((len(labels), 1, 1, 3), np.uint8), labels, names)


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(0, 40), min_size=2, max_size=8), data=st.data())
def test_every_row_is_on_one_side_and_classes_keep_their_share(counts: list[int], data: st.DataObject) -> None:
    pictures = labelled(counts)
    spare = sum(max(count - 1, 0) for count in counts)
    if not spare:
        return
    wanted = data.draw(st.integers(1, spare))
    rest, held = split_off(pictures, wanted, data.draw(st.integers(0, 99)))
    assert len(held) == wanted
    np.testing.assert_array_equal(np.sort(np.concatenate([rest, held])), np.arange(len(pictures)))
    assert (np.diff(held) > 0).all() and (np.diff(rest) > 0).all()
    given_up = np.bincount(pictures.labels[held], minlength=len(counts))
    exact = np.array(counts) * wanted / sum(counts)
    all_keep_one = np.minimum(np.ceil(exact), np.maximum(np.array(counts) - 1, 0)).sum() >= wanted
    rounded_down, rounded_up = np.floor(exact), np.minimum(np.ceil(exact), np.maximum(np.array(counts) - 1, 0))
    one_each_fits = np.maximum(np.minimum(rounded_down, rounded_up), np.minimum(rounded_up, 1)).sum() <= wanted
    for count, out, share in zip(counts, given_up, exact, strict=True):
        assert out <= max(count - 1, 0)
        if all_keep_one:
            assert abs(out - share) <= 1
        if one_each_fits and count > 1:
            assert out >= 1


def test_a_tenth_of_cifar_is_a_tenth_of_each_class() -> None:
    pictures = labelled([50] * 10)
    rest, held = split_off(pictures, 0.1, 3)
    assert np.bincount(pictures.labels[held]).tolist() == [5] * 10
    assert np.bincount(pictures.labels[rest]).tolist() == [45] * 10


def test_the_seed_alone_decides_which() -> None:
    pictures = labelled([30, 20])
    first, again, other = (split_off(pictures, 20, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_a_rare_class_is_represented_where_the_number_allows() -> None:
    pictures = labelled([1000, 1000, 2])
    _, held = split_off(pictures, 0.1, 0)
    assert np.bincount(pictures.labels[held])[2] == 1
    assert len(held) == 200


def test_a_class_of_one_picture_keeps_it() -> None:
    pictures = labelled([10, 1])
    rest, _ = split_off(pictures, 9, 0)
    assert np.bincount(pictures.labels[rest]).tolist() == [1, 1]


def test_rows_come_from_all_over_their_class() -> None:
    labels = np.zeros(1000, np.int64)
    labels[500:] = 1
    pictures = LabelledPictures(np.zeros((1000, 1, 1, 3), np.uint8), labels, ("a", "b"))
    _, held = split_off(pictures, 0.2, 0)
    assert 200 < held[:100].mean() < 300


@pytest.mark.parametrize(
    ("amount", "complaint"),
    [
        (0, "got 0"),
        (0.0, "got 0.0"),
        (1.0, "got 1.0"),
        (-0.2, "got -0.2"),
        (float("nan"), "got nan"),
        (20, "from 1 to 19, got 20"),
        (19, "leave one of each class"),
        (True, "got 'True'"),
        ("0.1", "got '0.1'"),
    ],
)
def test_an_amount_that_leaves_nothing_on_one_side_is_refused(amount: object, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        split_off(labelled([10, 10]), amount, 0)
