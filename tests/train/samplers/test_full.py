import numpy as np

from ligera.train.samplers import SamplerRecipe, make_sampler


def test_each_epoch_shows_every_sample_once_in_another_order() -> None:
    sampler = make_sampler(SamplerRecipe(), rows=50, seed=3, epochs=2)
    first, second = sampler.plan(0), sampler.plan(1)
    assert sorted(first.rows) == sorted(second.rows) == list(range(50))
    assert not np.array_equal(first.rows, second.rows)
    assert first.weights.tolist() == [1] * 50


def test_weights_and_samples_per_epoch_make_an_epoch_of_draws() -> None:
    weights = np.array([5.0, 1.0, 0.0, 2.0])
    sampler = make_sampler(SamplerRecipe(), rows=4, weights=weights, samples_per_epoch=80, seed=0, epochs=1)
    counts = np.bincount(sampler.plan(0).rows, minlength=4)
    assert np.abs(counts - weights * 10).max() <= 1


def test_it_asks_for_neither_losses_nor_scores() -> None:
    sampler = make_sampler(SamplerRecipe(), rows=4, seed=0, epochs=1)
    assert (sampler.wants_losses, sampler.wants_score, sampler.fewest_rows) == (False, False, 4)
