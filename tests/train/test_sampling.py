import numpy as np
import pytest

from ligera.train.sampling import FullSampler, batches, systematic


def test_without_weights_each_epoch_shows_every_sample_once_in_another_order() -> None:
    sampler = FullSampler(np.ones(50), None, seed=3)
    first, second = sampler.indices(0), sampler.indices(1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, FullSampler(np.ones(50), None, seed=3).indices(0))


def test_weights_are_kept_to_within_one_draw() -> None:
    weights = np.array([5.0, 1.0, 0.0, 2.0])
    counts = np.bincount(systematic(weights / 8, 80, np.random.default_rng(0)), minlength=4)
    assert np.abs(counts - weights * 10).max() <= 1
    assert counts[2] == 0


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_each_global_batch_without_overlap(world: int) -> None:
    indices = np.random.default_rng(0).permutation(40)
    whole = list(batches(indices, seed=1, epoch=2, batch=6))
    parts = [list(batches(indices, seed=1, epoch=2, batch=6, rank=rank, world=world)) for rank in range(world)]
    for step, keys in enumerate(whole):
        together = [key for part in parts for key in part[step]]
        assert sorted(together, key=lambda key: key.position) == keys
    assert len(whole) == 6


def test_an_epoch_entered_later_shows_what_it_would_have_shown() -> None:
    indices = np.arange(30)
    whole = list(batches(indices, seed=0, epoch=0, batch=4))
    assert list(batches(indices, seed=0, epoch=0, batch=4, first_step=3)) == whole[3:]


def test_a_key_fixes_its_chance() -> None:
    key = next(batches(np.arange(4), seed=0, epoch=0, batch=2))[1]
    assert key.generator().random() == key.generator().random()
