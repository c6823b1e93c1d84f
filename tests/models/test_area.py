"""Means over whole pixels: against their definition, and bit for bit against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from ligera.models.area import AreaSums

SIDES = st.integers(1, 40)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def planes(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float()


@settings(max_examples=50, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_any_size_becomes_any_other_as_torch_makes_it(height: int, width: int, rows: int, columns: int) -> None:
    pixels = noise(height, width)
    theirs = interpolate(planes(pixels), size=(rows, columns), mode="area")[0].numpy()
    # torch takes another road, and another rounding, to a single pixel
    np.testing.assert_allclose(AreaSums(pixels).shrink(rows, columns), theirs, rtol=0 if rows * columns > 1 else 3e-7)


@pytest.mark.parametrize("side", [24, 48])
def test_crops_are_those_of_torch_whether_they_shrink_or_grow(side: int) -> None:
    pixels = noise(70, 90)
    corners = np.array([[0, 0, 90, 70], [3, 2, 36, 30], [10, 10, 11, 11], [60, 5, 90, 65]])
    crops = AreaSums(pixels).crops(corners, side)
    for crop, (x1, y1, x2, y2) in zip(crops, corners, strict=True):
        theirs = interpolate(planes(pixels[y1:y2, x1:x2]), size=(side, side), mode="area")[0].numpy()
        np.testing.assert_array_equal(crop, theirs)


def test_a_window_is_the_plain_mean_of_the_pixels_it_touches() -> None:
    pixels = np.zeros((1, 5, 3), np.uint8)
    pixels[0, :, 0] = [10, 20, 40, 80, 160]
    # five pixels as two: the middle one belongs to both
    np.testing.assert_allclose(AreaSums(pixels).shrink(1, 2)[0, 0], [70 / 3, 280 / 3], rtol=1e-6)


def test_results_go_where_they_are_asked_to_go() -> None:
    sums = AreaSums(noise(20, 30))
    level, crops = np.empty((3, 5, 7), np.float32), np.empty((2, 3, 24, 24), np.float32)
    corners = np.array([[0, 0, 5, 5], [1, 2, 30, 20]])
    assert sums.shrink(5, 7, out=level) is level
    assert sums.crops(corners, 24, out=crops) is crops
    np.testing.assert_array_equal(level, sums.shrink(5, 7))
    np.testing.assert_array_equal(crops, sums.crops(corners, 24))


def test_no_crops_are_an_empty_array() -> None:
    assert AreaSums(noise(9, 9)).crops(np.zeros((0, 4), np.int64), 24).shape == (0, 3, 24, 24)


def test_sums_beyond_what_int32_holds_still_give_the_right_means() -> None:
    # so many white pixels add up to more than 2**31
    sums = AreaSums(np.full((2910, 2910, 3), 255, np.uint8))
    assert (sums.shrink(13, 13) == 255).all()
    assert (sums.crops(np.array([[2800, 2800, 2900, 2910]]), 24) == 255).all()
