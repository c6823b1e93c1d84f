"""Outlines follow the edges of pixels, so that filling them gives the mask back."""

from __future__ import annotations

import numpy as np
import pytest

from ligera.data.outlines import joined, outlines_of
from ligera.data.regions import polygon_area

from .page_sets import blob


def filled(parts: tuple[np.ndarray, ...], height: int, width: int) -> np.ndarray:
    """The pixels whose middle lies within a part, counting the edges to the right of it."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inside = np.zeros((height, width), bool)
    for part in parts:
        crossings = np.zeros((height, width), np.int64)
        for (x1, y1), (x2, y2) in zip(part, np.roll(part, -1, axis=0), strict=True):
            if y1 != y2:
                spans = (np.minimum(y1, y2) < y) & (y < np.maximum(y1, y2))
                crossings += spans & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) > x)
        inside |= crossings % 2 == 1
    return inside


def without_holes(mask: np.ndarray) -> np.ndarray:
    """Every pixel that the outside does not reach, stepping up, down, left and right."""
    outside = np.pad(~mask, 1, constant_values=True)
    reached = np.zeros_like(outside)
    reached[0, 0] = True
    while True:
        wider = reached.copy()
        wider[1:] |= reached[:-1]
        wider[:-1] |= reached[1:]
        wider[:, 1:] |= reached[:, :-1]
        wider[:, :-1] |= reached[:, 1:]
        wider &= outside
        if (wider == reached).all():
            return ~reached[1:-1, 1:-1]
        reached = wider


@pytest.mark.parametrize("seed", range(12))
def test_filling_the_outlines_gives_the_mask_back_without_its_holes(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 25, 2)
    mask = random.random((height, width)) < random.choice([0.1, 0.4, 0.6, 0.9])
    parts = outlines_of(mask)
    np.testing.assert_array_equal(filled(parts, height, width), without_holes(mask))


def test_one_pixel_is_a_square_and_an_empty_mask_nothing() -> None:
    mask = np.zeros((5, 7), np.uint8)
    assert outlines_of(mask) == ()
    mask[2, 3] = 255
    (square,) = outlines_of(mask)
    assert sorted(square.tolist()) == [[3, 2], [3, 3], [4, 2], [4, 3]]


def test_parts_come_largest_first_and_specks_can_be_left_out() -> None:
    areas = [polygon_area(part) for part in outlines_of(blob())]
    assert areas == [18 * 27, 50]
    assert len(outlines_of(blob(), least_area_px2=51)) == 1


@pytest.mark.parametrize("turned", [False, True])
def test_joined_parts_enclose_what_they_enclose_apart(turned: bool) -> None:
    left = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float64)
    right = left[::-1] + 20 if turned else left + 20
    third = np.array([[40, 0], [50, 0], [45, 20]], np.float64)
    whole = joined([left, right, third])
    assert polygon_area(whole) == pytest.approx(100 + 100 + 100)
    assert {tuple(point) for part in (left, right, third) for point in part} <= {tuple(point) for point in whole}
    np.testing.assert_array_equal(joined([left]), left)
