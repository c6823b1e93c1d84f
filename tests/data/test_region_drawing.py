"""Regions are drawn in one steady colour for each class, the page shows through, and a strip below names them."""

from __future__ import annotations

import numpy as np
import pytest

from ligera.data.region_drawing import class_colours, draw_regions
from ligera.data.regions import Region
from ligera.data.rle import rle_from_pixels

from .page_sets import blob, every_kind

GREY = 200


def sheet(width: int = 300, height: int = 200) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def box(name: str, x1: float, y1: float, x2: float, y2: float, **more: object) -> Region:
    return Region(name, (np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64),), **more)


def test_the_papers_classes_have_the_papers_colours() -> None:
    colours = class_colours(["lyrics", "staff", "drop-capital"])
    assert list(colours) == ["lyrics", "staff", "drop-capital"]
    for name, channel in (("staff", 0), ("lyrics", 1), ("drop-capital", 2)):
        assert int(np.argmax(colours[name])) == channel


def test_a_class_keeps_its_colour_in_every_set_and_neighbours_differ() -> None:
    assert class_colours(["stain"])["stain"] == class_colours(["staff", "stain", "lyrics"])["stain"]
    names = [f"class {place}" for place in range(10)]
    assert len(set(class_colours([*names, "staff", "lyrics", "drop-capital"]).values())) == 13
    assert len(class_colours([f"class {place}" for place in range(40)])) == 40


def test_the_inside_is_tinted_the_outside_untouched_and_the_input_too() -> None:
    page = sheet()
    drawn = draw_regions(page, [box("staff", 50, 50, 250, 150)], fill=0.5, legend=False)
    assert drawn.shape == page.shape
    assert (page == GREY).all()
    expected = (np.array(class_colours(["staff"])["staff"]) + GREY) / 2
    np.testing.assert_allclose(drawn[100, 150], expected, atol=1)
    assert (drawn[:40] == GREY).all()
    assert (drawn[:, 260:] == GREY).all()


def test_the_outline_lies_on_the_regions_edge() -> None:
    drawn = draw_regions(sheet(), [box("staff", 50, 50, 250, 150)], fill=0, legend=False)
    changed = np.flatnonzero((drawn != GREY).any(axis=2).any(axis=1))
    assert 46 <= changed.min() <= 50
    assert 149 <= changed.max() <= 153


def test_a_crowd_is_not_filled() -> None:
    drawn = draw_regions(sheet(), [box("staff", 50, 50, 250, 150, crowd=True)], legend=False)
    assert (drawn[100, 150] == GREY).all()
    assert (drawn[50] != GREY).any()


def test_small_regions_lie_on_large_ones() -> None:
    small, large = box("drop-capital", 100, 80, 140, 120), box("staff", 50, 50, 250, 150)
    one, other = (draw_regions(sheet(), order, legend=False) for order in ([small, large], [large, small]))
    np.testing.assert_array_equal(one, other)
    assert one[100, 120, 2] > one[100, 200, 2]


def test_masks_and_bare_boxes_are_drawn_too() -> None:
    drawn = draw_regions(sheet(60, 40), [Region("staff", mask=rle_from_pixels(blob()))], legend=False)
    assert (drawn[15, 20] != GREY).any()
    assert draw_regions(sheet(60, 40), every_kind(), legend=False).shape == (40, 60, 3)


def test_regions_that_reach_outside_or_lie_there_harm_nothing() -> None:
    regions = [
        box("staff", -500, -500, 900, 900),
        box("staff", -90, 0, -10, 20),
        box("staff", 1e6, 1e6, 1e6 + 1, 1e6 + 1),
    ]
    assert draw_regions(sheet(), regions, legend=False).shape == (200, 300, 3)


@pytest.mark.parametrize("width", [1, 20, 300, 3000])
def test_the_legend_stands_in_a_strip_below_that_covers_nothing(width: int) -> None:
    page = sheet(width)
    drawn = draw_regions(page, [], ("staff", "lyrics", "ünïcode\n", "x" * 100))
    assert drawn.shape[1] == width
    assert drawn.shape[0] > 200
    np.testing.assert_array_equal(drawn[:200], page)
    if width >= 300:
        strip = drawn[200:].reshape(-1, 3)
        for colour in class_colours(["staff", "lyrics"]).values():
            assert (strip == colour).all(axis=1).sum() > 20


def test_without_classes_there_is_no_legend() -> None:
    assert draw_regions(sheet(), []).shape == (200, 300, 3)


def test_a_fill_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="fill: expected 0 to 1"):
        draw_regions(sheet(), [], fill=2)
