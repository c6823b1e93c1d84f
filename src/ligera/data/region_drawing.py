"""A page with its regions drawn on it: one colour for each class, filled so that the page shows through, and a legend.

In: ``(H, W, 3)`` uint8 RGB and regions in its px. Out: a new picture of the same width, with a strip below that names
the classes. Drop capitals are blue, staves red and lyrics green, as in the paper's figure 3.16; any other class keeps
its colour too, whatever picture or set it is drawn in, unless a neighbour in the legend has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from ligera.data.regions import Region

__all__ = ["class_colours", "draw_regions"]

Colour = tuple[int, int, int]

_PAPER: dict[str, Colour] = {"drop-capital": (40, 90, 230), "staff": (220, 40, 40), "lyrics": (30, 160, 60)}
# Told apart on parchment, and from each other also without red or green.
_PALETTE: tuple[Colour, ...] = (
    (230, 130, 0),
    (140, 60, 200),
    (0, 160, 170),
    (220, 60, 150),
    (110, 110, 0),
    (90, 60, 30),
    (70, 130, 180),
    (200, 170, 20),
    (120, 20, 60),
    (90, 170, 130),
)
_PLATE: Colour = (255, 255, 255)
_INK: Colour = (20, 20, 20)
_RIM: Colour = (20, 20, 20)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT_PX = 22.0  # OpenCV's simplex capitals at scale 1
_SHIFT = 4  # polygons are drawn to a sixteenth of a pixel


def class_colours(names: Iterable[str]) -> dict[str, Colour]:
    """A colour ``(r, g, b)`` for each class, the same in every set where no other class claims it first."""
    names = list(dict.fromkeys(names))
    colours = {name: _PAPER[name] for name in names if name in _PAPER}
    for name in names:
        if name in colours:
            continue
        # A checksum, since Python's own hash of a word changes from run to run.
        start = zlib.crc32(name.encode("utf-8", "surrogatepass")) % len(_PALETTE)
        turns = (_PALETTE[(start + step) % len(_PALETTE)] for step in range(len(_PALETTE)))
        colours[name] = next((colour for colour in turns if colour not in colours.values()), _PALETTE[start])
    return {name: colours[name] for name in names}


def draw_regions(
    pixels: np.ndarray,
    regions: Sequence[Region],
    names: Sequence[str] | None = None,
    *,
    fill: float = 0.3,
    legend: bool = True,
) -> np.ndarray:
    """The page with its regions; a box where a region has no outline, and crowds unfilled.

    ``names`` are the classes of the legend (those drawn, if ``None``), ``fill`` how much of its colour covers a region,
    0 to 1. Without ``legend`` the size stays ``(H, W, 3)``. Raises ``ValueError`` for another ``fill``.
    """
    if not 0 <= fill <= 1:
        raise ValueError(f"fill: expected 0 to 1, got {fill}")
    drawn = [region.name for region in regions]
    counted = {name: drawn.count(name) for name in (names or sorted(set(drawn)))}
    colours = class_colours([*counted, *drawn])
    picture = np.ascontiguousarray(pixels).copy()
    # Large ones first, so that what lies on them is seen.
    ordered = sorted(regions, key=lambda region: -region.area_px2)
    stroke = max(1, round(max(picture.shape[:2]) / 700))
    for region in ordered:
        outlines = _outlines(region)
        if not region.crowd:
            _fill(picture, outlines, colours[region.name], fill)
        cv2.polylines(picture, outlines, True, _RIM, stroke + 2, cv2.LINE_AA, _SHIFT)
        cv2.polylines(picture, outlines, True, colours[region.name], stroke, cv2.LINE_AA, _SHIFT)
    if not legend or not counted:
        return picture
    return np.concatenate([picture, _legend(picture.shape[1], max(picture.shape[:2]), counted, colours)])


def _outlines(region: Region) -> list[np.ndarray]:
    """Polygons as OpenCV takes them: whole sixteenths of a pixel, counted from the middle of the first one."""
    return [np.rint((part - 0.5) * 2**_SHIFT).astype(np.int32) for part in region.outline_parts()]


def _fill(picture: np.ndarray, outlines: list[np.ndarray], colour: Colour, share: float) -> None:
    """Blend the colour into what the outlines enclose, touching no more of the picture than their extent."""
    points = np.concatenate(outlines) / 2**_SHIFT
    height, width = picture.shape[:2]
    left, top = (max(0, int(value)) for value in np.floor(points.min(axis=0)))
    right = min(width, int(np.ceil(points[:, 0].max())) + 1)
    bottom = min(height, int(np.ceil(points[:, 1].max())) + 1)
    if left >= right or top >= bottom:
        return
    inside = np.zeros((bottom - top, right - left), np.uint8)
    for outline in outlines:
        corner = np.array([left, top], np.int32) * 2**_SHIFT
        cv2.fillPoly(inside, [outline - corner], 1, cv2.LINE_8, _SHIFT)
    crop = picture[top:bottom, left:right]
    tinted = cv2.addWeighted(crop, 1 - share, np.full_like(crop, colour), share, 0)
    np.copyto(crop, tinted, where=inside[:, :, None] != 0)


def _legend(width: int, long_side: int, counted: dict[str, int], colours: dict[str, Colour]) -> np.ndarray:
    """A strip ``(h, width, 3)``: colour, name and number of regions of each class, in as many rows as that takes."""
    scale = max(9.0, min(long_side / 80, width / 24)) / _FONT_HEIGHT_PX
    weight = max(1, round(scale * 1.6))
    line = round(_FONT_HEIGHT_PX * scale)
    gap = max(3, line // 2)
    place, row = gap, 0
    entries = []
    for name, count in counted.items():
        text = f"{_plain(name)} {count:,}"
        (length, _), _ = cv2.getTextSize(text, _FONT, scale, weight)
        if place > gap and place + line + gap + length > width:
            place, row = gap, row + 1
        entries.append((place, row, text, colours[name]))
        place += line + gap + length + 2 * gap
    strip = np.full(((row + 1) * (line + gap) + gap, width, 3), _PLATE, np.uint8)
    for left, number, text, colour in entries:
        top = gap + number * (line + gap)
        cv2.rectangle(strip, (left, top), (left + line, top + line), colour, -1)
        cv2.putText(strip, text, (left + line + gap, top + line), _FONT, scale, _INK, weight, cv2.LINE_AA)
    return strip


def _plain(name: str) -> str:
    """``name`` in the letters that OpenCV's font has."""
    return "".join(letter if 32 <= ord(letter) < 127 else "?" for letter in name[:40])
