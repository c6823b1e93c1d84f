"""The reservoir: names and the seed decide, order and parts do not."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.deploy.mining.keys import Reservoir, chosen, keys_of, smallest


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=20), max_size=8), st.integers(0, 30), st.randoms())
def test_it_keeps_the_smallest_keys_in_whatever_order_they_come(
    parts: list[list[int]], room: int, chance: object
) -> None:
    everything = np.array(sorted(key for part in parts for key in part), np.uint64)
    thresholds = set()
    for _ in range(2):
        reservoir = Reservoir(room)
        for part in parts:
            reservoir.add(np.array(part, np.uint64))
        thresholds.add(reservoir.threshold())
        chance.shuffle(parts)  # type: ignore[attr-defined]
    (threshold,) = thresholds
    kept = everything[chosen(everything, threshold)]
    assert set(kept.tolist()) == set(everything[:room].tolist())


def test_it_stays_small_however_many_keys_come() -> None:
    reservoir = Reservoir(10)
    for number in range(40):
        reservoir.add(keys_of(0, str(number), 1, 10_000))
        assert sum(map(len, reservoir._parts)) <= 2 * 10 + (1 << 16) + 10_000
    everything = np.concatenate([keys_of(0, str(number), 1, 10_000) for number in range(40)])
    assert chosen(everything, reservoir.threshold()).sum() == 10


def test_keys_hang_on_name_seed_and_purpose_and_on_nothing_else() -> None:
    first = keys_of(0, "a.jpg", 1, 5)
    np.testing.assert_array_equal(first, keys_of(0, "a.jpg", 1, 5))
    np.testing.assert_array_equal(first[:3], keys_of(0, "a.jpg", 1, 3))
    for other in (keys_of(1, "a.jpg", 1, 5), keys_of(0, "b.jpg", 1, 5), keys_of(0, "a.jpg", 2, 5)):
        assert not set(first.tolist()) & set(other.tolist())
    assert len(keys_of(0, "\udcff.jpg", 1, 2)) == 2


def test_the_smallest_are_given_in_order_of_place() -> None:
    keys = np.array([5, 1, 4, 0], np.uint64)
    assert smallest(keys, 2).tolist() == [1, 3]
    assert smallest(keys, 9).tolist() == [0, 1, 2, 3]
    assert smallest(keys, 0).tolist() == []
