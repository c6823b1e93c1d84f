"""Pages varied: outlines, boxes and masks go where the pixels go, and what may not be taught is painted over."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.data.page_augment import LabelledPage, PageAugment, keep_page, outline_mask, vary_page
from ligera.data.regions import Page, Region

WIDTH, HEIGHT = 90, 120
SQUARE = np.array([[20.0, 30.0], [60.0, 30.0], [60.0, 50.0], [20.0, 50.0]])
DISC = np.array([[45 + 15 * np.cos(a), 85 + 15 * np.sin(a)] for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)])
PAINTS = (250, 200)
GEOMETRY = {"zoom": (0.7, 1.4), "window": (0.5, 1.2), "stretch": (0.8, 1.25), "turn_deg": 10.0, "colour": 0.0}


def painted_page(*, crowd: bool = False) -> LabelledPage:
    """A dark page with a bright square and a bright disc, whose pixels are their masks."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    outlines = ((SQUARE,), (DISC,))
    for parts, paint in zip(outlines, PAINTS, strict=True):
        pixels[outline_mask(parts, WIDTH, HEIGHT) != 0] = paint
    return LabelledPage(pixels, outlines, np.array([0, 1]), np.array([False, crowd]))


def seeded(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_still_page_stays_as_it_is() -> None:
    page = painted_page()
    sample = vary_page(page, (HEIGHT, WIDTH), PageAugment.still(), seeded(0))
    np.testing.assert_array_equal(sample.pixels, page.pixels)
    np.testing.assert_allclose(sample.boxes[0], [20, 30, 60, 50])
    np.testing.assert_array_equal(sample.masks[0], page.pixels[:, :, 0] == PAINTS[0])
    assert sample.labels.tolist() == [0, 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_masks_cover_the_pixels_they_are_of_after_any_move(seed: int) -> None:
    sample = vary_page(painted_page(), (HEIGHT, WIDTH), PageAugment(**GEOMETRY), seeded(seed))
    inner = np.ones((7, 7), np.uint8)  # resizing and turning blur edges over three pixels at most
    for label, mask in zip(sample.labels, sample.masks, strict=True):
        shown = sample.pixels[:, :, 0] == PAINTS[label]
        well_inside = cv2.erode(mask, inner, borderType=cv2.BORDER_CONSTANT, borderValue=0) != 0
        assert shown[well_inside].all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_boxes_lie_in_the_picture_around_their_masks(seed: int) -> None:
    sample = vary_page(painted_page(), (HEIGHT, WIDTH), PageAugment(**GEOMETRY), seeded(seed))
    height, width = sample.pixels.shape[:2]
    assert len(sample.boxes) == len(sample.labels) == len(sample.masks)
    for box, mask in zip(sample.boxes, sample.masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        around = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(box, around, atol=1.0)
        assert (box[:2] >= 0).all()
        assert (box[2:] <= [width, height]).all()


def test_a_seed_fixes_the_sample() -> None:
    one, two, other = (vary_page(painted_page(), (HEIGHT, WIDTH), PageAugment(), seeded(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.pixels, two.pixels)
    np.testing.assert_array_equal(one.boxes, two.boxes)
    assert one.pixels.shape != other.pixels.shape or (one.pixels != other.pixels).any()


def test_the_kept_page_is_never_painted_on() -> None:
    page = painted_page(crowd=True)
    before = page.pixels.copy()
    vary_page(page, (HEIGHT, WIDTH), PageAugment.still(), seeded(0))
    np.testing.assert_array_equal(page.pixels, before)


def test_crowds_are_painted_over_and_not_taught() -> None:
    sample = vary_page(painted_page(crowd=True), (HEIGHT, WIDTH), PageAugment.still(), seeded(0))
    assert sample.labels.tolist() == [0]
    inside = sample.pixels[80:90, 40:50]
    assert len(np.unique(inside)) == 1
    assert inside[0, 0, 0] != PAINTS[1]


def test_a_sliver_at_the_edge_is_painted_over_and_not_taught() -> None:
    sliver = LabelledPage(
        np.full((40, 40, 3), 9, np.uint8), ((np.array([[-60.0, 10], [6, 10], [6, 30], [-60, 30]]),),), *_one()
    )
    sample = vary_page(sliver, (40, 40), PageAugment.still(), seeded(1))
    assert len(sample.boxes) == 0
    assert sample.masks.shape == (0, 40, 40)
    assert (sample.pixels[10:30, :6] != 9).all()
    assert (sample.pixels[:, 7:] == 9).all()


def test_half_a_region_is_taught_with_the_box_of_what_shows() -> None:
    half = LabelledPage(
        np.full((40, 40, 3), 9, np.uint8), ((np.array([[-20.0, 10], [20, 10], [20, 30], [-20, 30]]),),), *_one()
    )
    sample = vary_page(half, (40, 40), PageAugment.still(), seeded(1))
    np.testing.assert_allclose(sample.boxes, [[0, 10, 20, 30]])
    assert sample.masks.sum() == 20 * 20


def test_a_mask_is_as_large_as_its_outline() -> None:
    """OpenCV's own filling also takes the pixels that an edge only touches."""
    mask = outline_mask([DISC - (30, 70)], 30, 30)
    area = 24 / 2 * 15**2 * np.sin(2 * np.pi / 24)
    assert abs(int(mask.sum()) - area) < 0.01 * area


def test_parts_that_overlap_are_filled_once() -> None:
    square = np.array([[2.0, 2], [8, 2], [8, 8], [2, 8]])
    beside = square + np.array([2.0, 0.0])
    assert outline_mask([square, beside], 12, 12).sum() == 6 * 8


def test_a_page_is_kept_smaller_with_its_outlines() -> None:
    page = Page("a.png", Path("a.png"), WIDTH, HEIGHT, (Region("square", (SQUARE,)), Region("disc", (DISC,))))
    kept = keep_page(page, painted_page().pixels, ("square",), 60)
    assert kept.pixels.shape == (60, 45, 3)
    assert kept.labels.tolist() == [0]
    np.testing.assert_allclose(kept.outlines[0][0], SQUARE / 2)


def test_outlines_fit_a_picture_of_another_size_than_its_file_says() -> None:
    page = Page("a.png", Path("a.png"), 2 * WIDTH, 2 * HEIGHT, (Region("square", (2 * SQUARE,)),))
    kept = keep_page(page, painted_page().pixels, ("square",), 1000)
    np.testing.assert_allclose(kept.outlines[0][0], SQUARE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zoom": (1.2, 0.8)}, "zoom: expected two rising factors"),
        ({"zoom": (0.01, 1.0)}, "zoom"),
        ({"window": (0.5, 9.0)}, "window"),
        ({"turn_deg": -1.0}, "turn_deg"),
        ({"colour": 2.0}, "colour"),
        ({"least_px": 0.0}, "least_px"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PageAugment(**change)


def _one() -> tuple[np.ndarray, np.ndarray]:
    return np.array([0]), np.array([False])
