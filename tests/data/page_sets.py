"""Pages with regions made on the spot, and what two sets must share to be equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.regions import Page, PageSet, Region
from ligera.data.rle import rle_from_pixels

WIDTH, HEIGHT = 60, 40
FRACTIONS = np.array([[1.5, 2.25], [20.1, 2.3], [19.7, 30.9], [0.1, 28.4]])
PART = np.array([[40.0, 5.0], [50.0, 5.0], [45.0, 15.5]])
WHOLE = np.array([[5.0, 5.0], [25.0, 5.0], [25.0, 25.0], [5.0, 25.0]])


def blob() -> np.ndarray:
    """``(40, 60)`` bool: two pieces, one of them with a hole."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2:20, 3:30] = True
    mask[8:12, 10:15] = False
    mask[30:35, 50:60] = True
    return mask


def every_kind() -> tuple[Region, ...]:
    """Whole and fractional polygons, parts, a mask, a box alone, a crowd, a box and an area of their own, a score."""
    return (
        Region("staff", (WHOLE,), key="1"),
        Region("lyrics", (FRACTIONS,), key="2"),
        Region("lyrics", (FRACTIONS, PART), key="3"),
        Region("drop-capital", mask=rle_from_pixels(blob()), key="4"),
        Region("drop-capital", box=np.array([1.25, 2.0, 30.0, 39.5]), key="5"),
        Region("staff", (WHOLE,), crowd=True, key="6"),
        Region("staff", (WHOLE,), np.array([4.5, 5.0, 25.0, 25.1]), area_px2=401.25, key="7"),
        Region("staff", (PART,), key="8", score=0.5),
    )


def page_set(*regions: Region, names: tuple[str, ...] = ("staff", "lyrics", "drop-capital")) -> PageSet:
    page = Page("a.jpg", Path("a.jpg"), WIDTH, HEIGHT, regions or every_kind(), "1")
    return PageSet(Path("here"), (page,), names)


def told(pages: PageSet) -> list[Any]:
    """All that a round trip must keep, in plain values."""
    return [
        (page.name, page.width, page.height, [told_region(region) for region in page.regions]) for page in pages.pages
    ]


def told_region(region: Region) -> dict[str, Any]:
    mask = region.mask
    return {
        "name": region.name,
        "polygons": [part.tolist() for part in region.polygons],
        "mask": None if mask is None else (mask.height, mask.width, mask.counts.tolist()),
        "box": region.box.tolist(),
        "area": region.area_px2,
        "crowd": region.crowd,
        "score": region.score,
    }
