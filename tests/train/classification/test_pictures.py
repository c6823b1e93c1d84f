"""Batches of pictures that are varied all at once."""

import numpy as np
import pytest
import torch

from ligera.train.classification.pictures import PicturesOnDevice, channel_statistics
from ligera.train.classification.recipe import PictureAugment
from ligera.train.samplers import EpochPlan
from ligera.train.sampling import batches

CPU = torch.device("cpu")


def some_pictures(count: int = 10, side: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def held(pictures: np.ndarray, edge_px: int = 2) -> PicturesOnDevice:
    return PicturesOnDevice(pictures, np.arange(len(pictures)), torch.zeros(3), torch.ones(3), edge_px, CPU)


def keys_of(count: int, **changes) -> list:
    plan = EpochPlan.even(np.arange(count)[::-1].copy())
    return list(batches(plan, **({"seed": 0, "epoch": 3, "batch": 5} | changes)))


def shown(pictures: np.ndarray, keys: list, recipe: PictureAugment) -> list:
    return list(held(pictures, recipe.shift_px).varied(keys, recipe, len(pictures), 0, 3))


def test_without_variation_a_batch_is_the_pictures_themselves_in_the_order_of_their_keys() -> None:
    pictures = some_pictures()
    first, second = shown(pictures, keys_of(10), PictureAugment(mirror=0, shift_px=0))
    assert first.rows.tolist() == [9, 8, 7, 6, 5]
    assert first.labels.tolist() == [9, 8, 7, 6, 5]
    expected = torch.from_numpy(pictures[[4, 3, 2, 1, 0]].transpose(0, 3, 1, 2).astype(np.float32))
    assert torch.equal(second.pixels, expected)


def test_every_varied_picture_is_a_window_of_its_own_reflected_picture_or_its_mirror_image() -> None:
    pictures, reach = some_pictures(), 2
    for batch in shown(pictures, keys_of(10), PictureAugment(mirror=0.5, shift_px=reach)):
        for row, pixels in zip(batch.rows.tolist(), batch.pixels, strict=True):
            edged = np.pad(pictures[row], ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
            windows = [edged[y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
            seen = pixels.permute(1, 2, 0).numpy()
            assert any(np.array_equal(seen, w) or np.array_equal(seen, w[:, ::-1]) for w in windows)


def test_two_processes_show_together_what_one_shows() -> None:
    pictures, recipe = some_pictures(), PictureAugment()
    one = {int(r): p for b in shown(pictures, keys_of(10), recipe) for r, p in zip(b.rows, b.pixels, strict=True)}
    for rank in range(2):
        keys = keys_of(10, batch=4, rank=rank, world=2)
        for batch in shown(pictures, keys, recipe):
            assert all(torch.equal(one[int(r)], p) for r, p in zip(batch.rows, batch.pixels, strict=True))


def test_an_epoch_entered_late_goes_on_with_the_same_batches() -> None:
    pictures, recipe = some_pictures(), PictureAugment()
    whole, rest = shown(pictures, keys_of(10), recipe), shown(pictures, keys_of(10, first_step=1), recipe)
    assert torch.equal(whole[1].pixels, rest[0].pixels)


def test_channel_statistics_are_those_of_all_pixels() -> None:
    pictures = some_pictures()
    mean, deviation = channel_statistics(pictures)
    flat = pictures.reshape(-1, 3).astype(float)
    assert mean.tolist() == pytest.approx(flat.mean(axis=0).tolist(), rel=1e-6)
    assert deviation.tolist() == pytest.approx(flat.std(axis=0).tolist(), rel=1e-6)


def test_a_channel_without_contrast_does_not_divide_by_zero() -> None:
    _, deviation = channel_statistics(np.full((2, 4, 4, 3), 7, np.uint8))
    assert deviation.tolist() == [1, 1, 1]
