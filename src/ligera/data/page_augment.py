"""Augmentation of pages: outlines follow every move of the pixels exactly, masks are filled in afterwards.

In: a :class:`LabelledPage` as it is kept in memory and the (height, width) px at which a detector would see the whole
of it; out: a :class:`PageSample`, a window on the page that is zoomed, stretched, turned and recoloured by chance.
There is no mirror: text read backwards is another class of thing. What a window cuts down to a sliver, and crowds,
which are neither right nor wrong to find, are painted over, since a detector has no other way not to learn from them.

Coordinates are px from the corner of the first pixel, so that the pixel in column x covers x to x + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ligera.data.augment import colour_matrix
from ligera.data.regions import Page, polygon_area

__all__ = ["LabelledPage", "PageAugment", "PageSample", "keep_page", "outline_mask", "vary_page"]

Parts = tuple[np.ndarray, ...]

_FINER = 4  # masks are filled on a grid so many times finer, as filling at once would widen them by half a pixel
_SHIFT = 4  # OpenCV takes polygons in sixteenths of a pixel
# Filling takes every fine pixel that an edge touches, an eighth of a pixel too many: half of one is then five eighths.
_MOST_OF_A_PIXEL = 160


@dataclass(frozen=True, slots=True)
class PageAugment:
    """How far chance goes.

    ``zoom`` and ``stretch`` (width over height) are ranges of factors, evenly by their logarithm; ``window`` the range
    of the share of either side that is shown; ``turn_deg`` the most turned to either side; ``colour`` the chance of
    each change of colour. A region is taught where ``least_share`` of its area shows, on sides of ``least_px``.
    """

    zoom: tuple[float, float] = (0.8, 1.25)
    window: tuple[float, float] = (0.6, 1.0)
    stretch: tuple[float, float] = (0.9, 1.1)
    turn_deg: float = 2.0
    colour: float = 0.5
    least_share: float = 0.25
    least_px: float = 4.0

    def __post_init__(self) -> None:
        for name, most in (("zoom", 4.0), ("window", 1.5), ("stretch", 4.0)):
            low, high = getattr(self, name)
            if not 1 / 8 <= low <= high <= most:
                raise ValueError(f"{name}: expected two rising factors from 0.125 to {most:g}, got {low:g} to {high:g}")
        if not 0 <= self.turn_deg <= 180:
            raise ValueError(f"turn_deg: expected 0 to 180 degrees, got {self.turn_deg:g}")
        for name in ("colour", "least_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name):g}")
        if not 1 <= self.least_px <= 64:
            raise ValueError(f"least_px: expected 1 to 64, got {self.least_px:g}")

    @classmethod
    def still(cls) -> PageAugment:
        """The page as a detector sees it."""
        return cls((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPage:
    """``pixels`` ``(H, W, 3)`` uint8 RGB, and of each region its ``outlines`` (polygons ``(N, 2)`` in px of those), its
    label ``(R,)`` int64 and whether it is a crowd ``(R,)`` bool."""

    pixels: np.ndarray
    outlines: tuple[Parts, ...]
    labels: np.ndarray
    crowds: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class PageSample:
    """``pixels`` ``(h, w, 3)`` uint8, and of the regions that are taught ``boxes`` ``(R, 4)`` float32 px, ``labels``
    ``(R,)`` int64, ``masks`` ``(R, h, w)`` uint8 of 0 and 1."""

    pixels: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    masks: np.ndarray


def keep_page(page: Page, pixels: np.ndarray, names: Sequence[str], long_side_px: int) -> LabelledPage:
    """``page`` and its decoded picture, reduced to ``long_side_px`` if it is larger, to be varied again and again.

    Regions of other classes than ``names`` are left out. Outlines are in px of ``pixels``, whatever size ``page`` says.
    """
    height, width = pixels.shape[:2]
    factor = min(1.0, long_side_px / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if size != (width, height):
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    ratio = np.array(size) / (page.width, page.height)
    known = [region for region in page.regions if region.name in names]
    outlines = tuple(tuple(part * ratio for part in region.outline_parts()) for region in known)
    labels = np.array([names.index(region.name) for region in known], np.int64)
    return LabelledPage(pixels, outlines, labels, np.array([region.crowd for region in known], bool))


def vary_page(
    page: LabelledPage, size: tuple[int, int], recipe: PageAugment, generator: np.random.Generator
) -> PageSample:
    """One training sample of ``page``, which a detector would see at ``size`` (height, width) px.

    All chance comes from ``generator``, so a seed fixes the sample.
    """
    zoom, stretch = (float(np.exp(generator.uniform(*np.log(span)))) for span in (recipe.zoom, recipe.stretch))
    turn = np.deg2rad(generator.uniform(-recipe.turn_deg, recipe.turn_deg))
    shares = generator.uniform(*recipe.window, 2)
    height, width = (max(1, round(side * share)) for side, share in zip(size, shares, strict=True))
    whole = _resized(page.pixels, size[1] * zoom * stretch**0.5, size[0] * zoom / stretch**0.5)
    shape = np.array([whole.shape[1], whole.shape[0]])
    centre = [_centre(side, window, generator) for side, window in zip(shape, (width, height), strict=True)]
    around = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = np.array([width, height]) / 2 - around @ centre
    edge = tuple(int(value) for value in generator.integers(0, 256, 1).repeat(3))
    pixels = _moved(whole, around, shift, (width, height), edge)
    factor = shape / (page.pixels.shape[1], page.pixels.shape[0])
    outlines = [tuple((part * factor) @ around.T + shift for part in parts) for parts in page.outlines]
    sample = _teachable(pixels, outlines, page, recipe, edge)
    if recipe.colour:
        cv2.transform(sample.pixels, colour_matrix(recipe.colour, generator), sample.pixels)
    return sample


def outline_mask(parts: Sequence[np.ndarray], width: int, height: int) -> np.ndarray:
    """Pixels ``(height, width)`` uint8 0 or 1 of which at least half lies in one of the polygons ``parts``."""
    fine = np.zeros((height * _FINER, width * _FINER), np.uint8)
    for part in parts:
        points = np.rint((part * _FINER - 0.5) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(fine, [points], 255, cv2.LINE_8, _SHIFT)
    return (cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA) >= _MOST_OF_A_PIXEL).astype(np.uint8)


def _resized(pixels: np.ndarray, width: float, height: float) -> np.ndarray:
    size = max(1, round(width)), max(1, round(height))
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    # Areas are averaged as where pages are prepared for detection: thin staff lines don't survive anything else.
    shrinks = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _centre(length: int, window: int, generator: np.random.Generator) -> float:
    """Where in ``length`` the middle of ``window`` falls: the one lies within the other."""
    low, high = sorted((window / 2, length - window / 2))
    return float(generator.uniform(low, high))


def _moved(
    pixels: np.ndarray, around: np.ndarray, shift: np.ndarray, size: tuple[int, int], edge: tuple[int, ...]
) -> np.ndarray:
    # OpenCV counts from the middle of the first pixel.
    middle = np.array([0.5, 0.5])
    matrix = np.hstack([around, (around @ middle + shift - middle)[:, None]])
    return cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=edge)


def _teachable(
    pixels: np.ndarray, outlines: Sequence[Parts], page: LabelledPage, recipe: PageAugment, edge: tuple[int, ...]
) -> PageSample:
    height, width = pixels.shape[:2]
    boxes, labels, masks = [], [], []
    for parts, label, crowd in zip(outlines, page.labels, page.crowds, strict=True):
        seen = tuple(part for part in (_clipped(part, width, height) for part in parts) if len(part))
        if not seen:
            continue
        points = np.concatenate(seen)
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        left, top = np.floor(box[:2]).astype(int)
        right, bottom = np.ceil(box[2:]).astype(int)
        if right <= left or bottom <= top:
            continue
        inside = outline_mask([part - (left, top) for part in seen], right - left, bottom - top)
        share = sum(map(polygon_area, seen)) / max(sum(map(polygon_area, parts)), 1e-9)
        if crowd or not inside.any() or share < recipe.least_share or (box[2:] - box[:2]).min() < recipe.least_px:
            pixels[top:bottom, left:right][inside != 0] = edge
            continue
        mask = np.zeros((height, width), np.uint8)
        mask[top:bottom, left:right] = inside
        boxes.append(box)
        labels.append(label)
        masks.append(mask)
    return PageSample(
        pixels,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.stack(masks) if masks else np.zeros((0, height, width), np.uint8),
    )


def _clipped(points: np.ndarray, width: float, height: float) -> np.ndarray:
    """The part of a polygon within 0 to ``width`` and 0 to ``height`` (Sutherland and Hodgman 1974), maybe empty."""
    for axis, bound, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        depth = sign * (points[:, axis] - bound)
        if depth.size == 0 or (depth >= 0).all():
            continue
        after, deeper = np.roll(points, -1, axis=0), np.roll(depth, -1)
        crosses = (depth >= 0) != (deeper >= 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            cut = points + (depth / (depth - deeper))[:, None] * (after - points)
        cut[:, axis] = bound
        both = np.stack([points, cut], axis=1).reshape(-1, 2)
        points = both[np.stack([depth >= 0, crosses], axis=1).ravel()]
    return points
