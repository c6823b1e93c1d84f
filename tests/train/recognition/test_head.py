import numpy as np
import pytest
import torch

from ligera.train.recognition.head import EpochRow, HeadSettings, train_head

GENERATOR = np.random.default_rng(0)


def blobs(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three groups in 20 dimensions: persons 0 and 1, and others."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(-1, 2, count)
    centres = np.random.default_rng(9).normal(0, 3, (3, 20))
    return (centres[labels + 1] + generator.normal(0, 1, (count, 20))).astype(np.float32), labels


def test_each_person_gets_a_logit_above_zero_for_the_own_pictures_only() -> None:
    head = train_head(*blobs(600, 1), blobs(200, 2), 2, HeadSettings(learning_rate=1e-2, epochs=40))
    features, labels = blobs(300, 3)
    assert ((head.logits(features) > 0) == (labels[:, None] == np.arange(2))).mean() > 0.97


def test_standardised_features_give_a_head_on_the_features_as_they_were() -> None:
    features, labels = blobs(400, 1)
    skewed = features * np.geomspace(1e-2, 1e2, 20).astype(np.float32) + 50
    held, held_labels = blobs(100, 2)
    held = held * np.geomspace(1e-2, 1e2, 20).astype(np.float32) + 50
    settings = HeadSettings(learning_rate=1e-2, epochs=30, standardise=True)
    head = train_head(skewed, labels, (held, held_labels), 2, settings)
    assert ((head.logits(held) > 0) == (held_labels[:, None] == np.arange(2))).mean() > 0.97


def test_it_stops_when_validation_gets_no_better_and_takes_the_best_weights_back() -> None:
    noise = GENERATOR.normal(0, 1, (40, 200)).astype(np.float32)
    labels = np.array([0, -1] * 20)
    held = GENERATOR.normal(0, 1, (40, 200)).astype(np.float32), labels
    head = train_head(noise, labels, held, 1, HeadSettings(learning_rate=1e-2, patience=4))
    losses = [row.validation_loss for row in head.history]
    assert len(losses) < 300 and head.best == int(np.argmin(losses)) + 1 == len(losses) - 4
    logits = torch.from_numpy(head.logits(held[0]))[:, 0]
    own = torch.from_numpy((labels == 0).astype(np.float32))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, own)
    assert float(loss) == pytest.approx(min(losses), abs=1e-5)


def test_few_pictures_of_the_person_weigh_as_much_as_many_of_others() -> None:
    """Of two groups that overlap wholly, the balanced head says even odds, the other one the rarity."""
    features = GENERATOR.normal(0, 1, (1000, 2)).astype(np.float32)
    labels = np.where(np.arange(1000) < 50, 0, -1)
    means = [
        float(
            train_head(features, labels, (features, labels), 1, HeadSettings(0.02, balance=balance))
            .logits(features)
            .mean()
        )
        for balance in (True, False)
    ]
    assert abs(means[0]) < 0.4 and means[1] < -2


def test_the_same_seed_gives_the_same_head_and_leaves_the_callers_chance_alone() -> None:
    def train(seed: int) -> np.ndarray:
        return train_head(*blobs(90, 1), blobs(30, 2), 2, HeadSettings(epochs=3, seed=seed)).weight

    before = torch.random.get_rng_state()
    assert (train(1) == train(1)).all() and (train(1) != train(2)).any()
    assert torch.equal(before, torch.random.get_rng_state())


def test_whoever_listens_is_told_every_epoch() -> None:
    rows: list[EpochRow] = []
    head = train_head(*blobs(60, 1), blobs(30, 2), 2, HeadSettings(epochs=4), rows.append)
    assert tuple(rows) == head.history and [row.epoch for row in rows] == [1, 2, 3, 4]
