import numpy as np
import pytest

from ligera.train.samplers import EpochPlan
from ligera.train.sampling import batches


def shuffled(count: int) -> EpochPlan:
    generator = np.random.default_rng(0)
    return EpochPlan(generator.permutation(count), generator.random(count).astype(np.float32))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_each_global_batch_without_overlap(world: int) -> None:
    plan = shuffled(40)
    whole = list(batches(plan, seed=1, epoch=2, batch=6))
    parts = [list(batches(plan, seed=1, epoch=2, batch=6, rank=rank, world=world)) for rank in range(world)]
    for step, keys in enumerate(whole):
        together = [key for part in parts for key in part[step]]
        assert sorted(together, key=lambda key: key.position) == keys
    assert len(whole) == 6


def test_keys_carry_the_rows_and_weights_of_the_plan() -> None:
    plan = shuffled(12)
    keys = [key for part in batches(plan, seed=1, epoch=2, batch=4) for key in part]
    assert [key.index for key in keys] == plan.rows.tolist()
    assert [key.weight for key in keys] == plan.weights.tolist()
    assert [key.position for key in keys] == list(range(12))


def test_an_incomplete_last_batch_is_left_out() -> None:
    assert [len(keys) for keys in batches(shuffled(11), seed=0, epoch=0, batch=4)] == [4, 4]
    assert list(batches(shuffled(3), seed=0, epoch=0, batch=4)) == []


def test_an_epoch_entered_later_shows_what_it_would_have_shown() -> None:
    plan = shuffled(30)
    whole = list(batches(plan, seed=0, epoch=0, batch=4))
    assert list(batches(plan, seed=0, epoch=0, batch=4, first_step=3)) == whole[3:]


def test_a_key_fixes_its_chance_and_its_weight_is_no_part_of_it() -> None:
    key = next(batches(shuffled(4), seed=0, epoch=0, batch=2))[1]
    heavier = type(key)(key.seed, key.epoch, key.position, key.index, key.weight + 1)
    assert key.generator().random() == key.generator().random() == heavier.generator().random()


def test_another_place_in_the_epoch_is_another_chance() -> None:
    plan = EpochPlan.even(np.zeros(4, np.int64))
    first, second = next(batches(plan, seed=0, epoch=0, batch=2))
    assert first.generator().random() != second.generator().random()
