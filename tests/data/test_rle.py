"""Run lengths, plain or packed as COCO packs them, are the mask they came from."""

from __future__ import annotations

import numpy as np
import pytest

from ligera.data.rle import Rle, rle_from_counts, rle_from_pixels, rle_from_text

from .page_sets import blob


def masks() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    made = [
        random.random(random.integers(1, 30, 2)) < share for share in (0, 0.02, 0.3, 0.5, 0.98, 1) for _ in range(8)
    ]
    tall = np.zeros((3000, 12), bool)
    tall[:2000, 5] = tall[17, :] = True
    return [*made, tall, blob()]


@pytest.mark.parametrize("mask", masks())
def test_a_mask_goes_through_runs_and_text_unchanged(mask: np.ndarray) -> None:
    runs = rle_from_pixels(mask)
    np.testing.assert_array_equal(runs.pixels(), mask)
    again = rle_from_text(runs.text(), *mask.shape)
    np.testing.assert_array_equal(again.counts, runs.counts)
    np.testing.assert_array_equal(rle_from_counts(runs.counts.tolist(), *mask.shape).pixels(), mask)
    assert runs.area_px2 == mask.sum()


@pytest.mark.parametrize("mask", masks())
def test_text_area_and_box_are_those_of_the_reference_program(mask: np.ndarray) -> None:
    reference = pytest.importorskip("pycocotools.mask", reason="pycocotools comes with the extra 'dev'")
    packed = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    runs = rle_from_pixels(mask)
    assert runs.text() == packed["counts"].decode()
    assert runs.area_px2 == reference.area(packed)
    if mask.any():
        x, y, width, height = reference.toBbox(packed)
        assert runs.box().tolist() == [x, y, x + width, y + height]


def test_an_empty_mask_has_no_box() -> None:
    assert rle_from_pixels(np.zeros((3, 4))).box().tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 4], "expected runs of 12 pixels together"),
        ([13, -1], "expected runs of 0 or more pixels, got -1"),
        ([1.5, 10.5], "expected a list of whole numbers"),
        (["12"], "expected a list of whole numbers"),
        ([[12]], "expected a list of whole numbers"),
        ([10**30], "expected a list of whole numbers"),
        ([10**12], "expected runs of up to"),
        ([], "expected runs of 12 pixels together"),
    ],
)
def test_counts_that_are_no_mask_are_refused(counts: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rle_from_counts(counts, 3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("é", "letters that do not belong there"),
        (" ", "letters that do not belong there"),
        ("~", "letters that do not belong there"),
        ("`", "cut short"),
        ("o" * 9 + "0", "a number larger than any picture"),
        ("O", "expected runs of 0 or more pixels, got -1"),
        ("", "expected runs of 12 pixels together"),
    ],
)
def test_text_that_is_no_mask_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rle_from_text(text, 3, 4)


def test_a_mask_larger_than_any_picture_is_refused_before_it_takes_memory() -> None:
    with pytest.raises(ValueError, match="expected a mask of up to 100,000,000 pixels"):
        Rle(10**6, 10**6, np.array([10**12]))
    with pytest.raises(ValueError, match=r"expected a mask \(H, W\)"):
        rle_from_pixels(np.zeros(4))
