"""Augmentation of pictures with boxes and landmarks together (paper C, section 3.4; SPEC section C).

In: a picture ``(H, W, 3)`` uint8 RGB and its ``Targets``; out: a square ``(side, side, 3)`` uint8 array and the targets
that moved with it. Pixels go through OpenCV, which takes less time than torchvision and keeps torch out of this room;
boxes, landmarks and ignore regions go through one scale and shift. The paper crops 30 to 100 % of the short side;
ratios over 1 zoom out, and ``mosaic`` shows grids of pictures in place of one, because a crop alone only makes faces
larger, and portraits would teach nothing about small ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ligera.records import Picture, Targets

MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]
GREY_WEIGHTS = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class AugmentRecipe:
    """What is done and how often; ``min_face_px`` is the smallest face still taught, smaller ones become ignore."""

    crop_ratios: tuple[float, ...] = (0.3, 0.45, 0.6, 0.8, 1.0)
    keep_face_px: float = 16.0
    min_face_px: float = 4.0
    mosaic: float = 0.0
    mosaic_grids: tuple[int, ...] = (2,)
    mirror: float = 0.5
    colour: float = 0.5
    grey: float = 0.0
    fill: int = 114

    def __post_init__(self) -> None:
        if not self.crop_ratios or not all(0 < ratio <= 100 for ratio in self.crop_ratios):
            raise ValueError("crop_ratios: expected one or more numbers above 0, up to 100")
        if not 0 <= self.fill <= 255:
            raise ValueError(f"fill: expected 0 to 255, got {self.fill}")
        if not self.mosaic_grids or not all(2 <= cells <= 8 for cells in self.mosaic_grids):
            raise ValueError("mosaic_grids: expected one or more numbers of pictures a side, from 2 to 8")
        for name in ("mosaic", "mirror", "colour", "grey"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a probability from 0 to 1, got {getattr(self, name)}")


def colour_matrix(probability: float, generator: np.random.Generator) -> np.ndarray:
    """A random ``(3, 4)`` colour change: brightness, contrast, saturation and hue, each with ``probability``.

    All four are linear in RGB (hue as a rotation around the grey axis), so one matrix does the work of four passes.
    """
    brightness, contrast, saturation, hue = generator.uniform([0.7, 0.6, 0.6, -0.3], [1.3, 1.4, 1.4, 0.3])
    brightness, contrast, saturation, hue = np.where(
        generator.random(4) < probability, [brightness, contrast, saturation, hue], [1, 1, 1, 0]
    )
    grey = np.tile(GREY_WEIGHTS, (3, 1))
    cosine, sine = np.cos(hue), np.sin(hue)
    third, root = (1 - cosine) / 3, np.sqrt(1 / 3) * sine
    turn = cosine * np.eye(3) + third + root * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * grey) @ turn
    return np.hstack([matrix, np.full((3, 1), 128 * (1 - contrast))]).astype(np.float32)


def augment(
    draw: Callable[[], tuple[Picture, Targets]], recipe: AugmentRecipe, side_px: int, generator: np.random.Generator
) -> tuple[np.ndarray, Targets]:
    """One training sample; ``draw`` gives the picture to show, and is called again for each tile of a mosaic.

    All chance comes from ``generator``, so a seed fixes the sample.
    """
    if generator.random() < recipe.mosaic:
        pixels, targets = _mosaic(draw, recipe, side_px, generator)
    else:
        pixels = np.full((side_px, side_px, 3), recipe.fill, np.uint8)
        targets = _crop_into(pixels, (0, 0), *draw(), recipe, generator)
    if generator.random() < recipe.mirror:
        pixels, targets = mirror(pixels, targets)
    if recipe.colour or recipe.grey:
        matrix = colour_matrix(recipe.colour, generator)
        if generator.random() < recipe.grey:
            matrix = np.tile(np.float32(GREY_WEIGHTS), (3, 1)) @ matrix
        pixels = cv2.transform(np.ascontiguousarray(pixels), matrix)
    return pixels, keep_teachable(targets, recipe.min_face_px)


def move(
    targets: Targets, scale: float, shift: tuple[float, float], window: tuple[float, float, float, float]
) -> Targets:
    """Targets after ``point * scale + shift``, seen through ``window`` (x1, y1, x2, y2, px).

    A face whose centre leaves the window goes, and what still shows of it becomes an ignore region; the rest are cut at
    the window's edge. Landmarks stay where they are, even just outside.
    """
    twice = np.float32([*shift, *shift])
    low, high = np.float32([*window[:2]] * 2), np.float32([*window[2:]] * 2)
    boxes = targets.boxes * np.float32(scale) + twice
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((centre > low[:2]) & (centre < high[:2])).all(axis=1)
    ignore = targets.ignore * np.float32(scale) + twice
    ignore = np.minimum(np.maximum(np.concatenate([ignore, boxes[~inside]]), low), high)
    shows = (ignore[:, 2:] > ignore[:, :2]).all(axis=1)
    boxes = np.minimum(np.maximum(boxes[inside], low), high)
    landmarks = targets.landmarks[inside] * np.float32(scale) + twice[:2]
    return Targets(boxes, targets.labels[inside], landmarks, ignore[shows])


def mirror(pixels: np.ndarray, targets: Targets) -> tuple[np.ndarray, Targets]:
    """Left and right swapped; landmarks change names with sides."""
    width = pixels.shape[1]
    boxes = targets.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
    ignore = targets.ignore[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
    landmarks = targets.landmarks[:, MIRRORED_LANDMARKS] * [-1, 1] + [width, 0]
    return pixels[:, ::-1], Targets(boxes, targets.labels, landmarks, ignore)


def keep_teachable(targets: Targets, min_face_px: float) -> Targets:
    """Faces whose long side is under ``min_face_px`` become ignore regions."""
    large = (targets.boxes[:, 2:] - targets.boxes[:, :2]).max(axis=1, initial=0) >= min_face_px
    ignore = np.concatenate([targets.ignore, targets.boxes[~large]])
    return Targets(targets.boxes[large], targets.labels[large], targets.landmarks[large], ignore)


def _crop_into(
    canvas: np.ndarray,
    origin: tuple[int, int],
    picture: Picture,
    targets: Targets,
    recipe: AugmentRecipe,
    generator: np.random.Generator,
) -> Targets:
    """Show a square window on the picture in the square ``canvas``, whose corner is ``origin`` (x, y) of the sample.

    Where the window reaches beyond the picture the canvas stays as it is. Returns the targets in the sample's pixels.
    """
    side_px = len(canvas)
    left, top, window_px = _window(picture, targets, recipe, generator)
    scale = side_px / window_px
    x1, y1 = max(0, left), max(0, top)
    x2, y2 = min(picture.width, left + window_px), min(picture.height, top + window_px)
    size = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
    # Averaging areas costs four times as much and shows only where more than two pixels fall together.
    how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    part = cv2.resize(picture.pixels[y1:y2, x1:x2], size, interpolation=how)
    column, row = round((x1 - left) * scale), round((y1 - top) * scale)
    place = canvas[row : row + size[1], column : column + size[0]]
    place[:] = part[: place.shape[0], : place.shape[1]]
    x, y = origin
    return move(targets, scale, (x - left * scale, y - top * scale), (x, y, x + side_px, y + side_px))


def _window(
    picture: Picture, targets: Targets, recipe: AugmentRecipe, generator: np.random.Generator
) -> tuple[int, int, int]:
    """Left, top and side (px) of a random square that keeps the centre of a face, if any of 20 tries does.

    As in the paper that face is at least ``keep_face_px`` large, unless the picture has none so large.
    """
    short = min(picture.width, picture.height)
    centres = (targets.boxes[:, :2] + targets.boxes[:, 2:]) / 2
    large = (targets.boxes[:, 2:] - targets.boxes[:, :2]).max(axis=1, initial=0) >= recipe.keep_face_px
    wanted = centres[large] if large.any() else centres
    window = (0, 0, short)
    for _ in range(20):
        side = max(8, int(short * generator.choice(recipe.crop_ratios)))
        left = _offset(picture.width, side, generator)
        top = _offset(picture.height, side, generator)
        window = (left, top, side)
        inside = ((wanted > [left, top]) & (wanted < [left + side, top + side])).all(axis=1)
        if not len(wanted) or inside.any():
            break
    return window


def _offset(length: int, side: int, generator: np.random.Generator) -> int:
    """Where a window of ``side`` starts: inside the picture when it fits, else so that the picture is inside it."""
    low, high = sorted((0, length - side))
    return int(generator.integers(low, high + 1))


def _mosaic(
    draw: Callable[[], tuple[Picture, Targets]], recipe: AugmentRecipe, side_px: int, generator: np.random.Generator
) -> tuple[np.ndarray, Targets]:
    """Several pictures in a square grid; what the last column and row leave over stays ``fill``."""
    cells = int(generator.choice(recipe.mosaic_grids))
    tile_px = side_px // cells
    canvas = np.full((side_px, side_px, 3), recipe.fill, np.uint8)
    shown = []
    for place in range(cells * cells):
        y, x = (tile_px * step for step in divmod(place, cells))
        tile = canvas[y : y + tile_px, x : x + tile_px]
        shown.append(_crop_into(tile, (x, y), *draw(), recipe, generator))
    parts = ("boxes", "labels", "landmarks", "ignore")
    return canvas, Targets(*(np.concatenate([getattr(targets, part) for targets in shown]) for part in parts))
