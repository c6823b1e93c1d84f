"""Augmentation of pictures with boxes and landmarks together (paper C, section 3.4; SPEC section C).

In: a picture ``(H, W, 3)`` uint8 RGB and its ``Targets``; out: a square ``(3, side, side)`` uint8 tensor and the targets
that moved with it. Pixels go through torchvision v2; boxes, landmarks and ignore regions through one scale and shift.
The paper crops 30 to 100 % of the short side; ratios over 1 zoom out, and ``mosaic`` shows grids of pictures in place of
one, because a crop alone only makes faces larger, and portraits would teach nothing about small ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torchvision.transforms.v2 import functional as pixel_ops

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
        if not self.crop_ratios or min(self.crop_ratios) <= 0:
            raise ValueError("crop_ratios: expected one or more positive numbers")
        if not self.mosaic_grids or not all(2 <= cells <= 8 for cells in self.mosaic_grids):
            raise ValueError("mosaic_grids: expected one or more numbers of pictures a side, from 2 to 8")
        for name in ("mosaic", "mirror", "colour", "grey"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a probability from 0 to 1, got {getattr(self, name)}")


def colour_matrix(probability: float, generator: np.random.Generator) -> np.ndarray:
    """A random ``(3, 4)`` colour change: brightness, contrast, saturation and hue, each with ``probability``.

    All four are linear in RGB (hue as a rotation around the grey axis), so one matrix does the work of four passes:
    a sixth of the time of torchvision's RandomPhotometricDistort on one core, where this loop is the bottleneck.
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
) -> tuple[torch.Tensor, Targets]:
    """One training sample; ``draw`` gives the picture to show, and is called again for each tile of a mosaic.

    All chance comes from ``generator``, so a seed fixes the sample.
    """
    if generator.random() < recipe.mosaic:
        pixels, targets = _mosaic(draw, recipe, side_px, generator)
    else:
        pixels, targets = _crop(*draw(), recipe, side_px, generator)
    if generator.random() < recipe.mirror:
        pixels, targets = mirror(pixels, targets)
    if recipe.colour:
        matrix = colour_matrix(recipe.colour, generator)
        if generator.random() < recipe.grey:
            matrix = np.tile(np.float32(GREY_WEIGHTS), (3, 1)) @ matrix
        changed = cv2.transform(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()), matrix)
        pixels = torch.from_numpy(changed).permute(2, 0, 1).contiguous()
    return pixels, keep_teachable(targets, recipe.min_face_px)


def move(targets: Targets, scale: float, shift_x: float, shift_y: float, width: float, height: float) -> Targets:
    """Targets after ``point * scale + shift`` in a window of ``width`` x ``height`` px.

    A face whose centre leaves the window goes, and what still shows of it becomes an ignore region; the rest are cut at
    the window's edge. Landmarks stay where they are, even just outside.
    """
    shift = np.array([shift_x, shift_y], np.float32)
    boxes = targets.boxes * scale + np.tile(shift, 2)
    ignore = targets.ignore * scale + np.tile(shift, 2)
    window = np.array([width, height, width, height], np.float32)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((centre > 0) & (centre < window[:2])).all(axis=1)
    boxes = np.clip(boxes, 0, window)
    ignore = np.clip(np.concatenate([ignore, boxes[~inside]]), 0, window)
    shows = (ignore[:, 2:] - ignore[:, :2]).min(axis=1, initial=np.inf) > 0
    landmarks = targets.landmarks * scale + shift
    return Targets(boxes[inside], targets.labels[inside], landmarks[inside], ignore[shows])


def mirror(pixels: torch.Tensor, targets: Targets) -> tuple[torch.Tensor, Targets]:
    """Left and right swapped; landmarks change names with sides."""
    width = pixels.shape[-1]
    boxes = targets.boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
    ignore = targets.ignore[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
    landmarks = targets.landmarks[:, MIRRORED_LANDMARKS] * [-1, 1] + [width, 0]
    return pixel_ops.horizontal_flip(pixels), Targets(boxes, targets.labels, landmarks, ignore)


def keep_teachable(targets: Targets, min_face_px: float) -> Targets:
    """Faces whose long side is under ``min_face_px`` become ignore regions."""
    large = (targets.boxes[:, 2:] - targets.boxes[:, :2]).max(axis=1, initial=0) >= min_face_px
    ignore = np.concatenate([targets.ignore, targets.boxes[~large]])
    return Targets(targets.boxes[large], targets.labels[large], targets.landmarks[large], ignore)


def _crop(
    picture: Picture, targets: Targets, recipe: AugmentRecipe, side_px: int, generator: np.random.Generator
) -> tuple[torch.Tensor, Targets]:
    """A square window on the picture, resized to ``side_px``; where it reaches beyond the picture, flat ``fill``."""
    left, top, window_px = _window(picture, targets, recipe, generator)
    scale = side_px / window_px
    x1, y1 = max(0, left), max(0, top)
    x2, y2 = min(picture.width, left + window_px), min(picture.height, top + window_px)
    columns, rows = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
    part = torch.from_numpy(picture.pixels[y1:y2, x1:x2]).permute(2, 0, 1)
    part = pixel_ops.resize(part, [rows, columns], antialias=True)
    canvas = torch.full((3, side_px, side_px), recipe.fill, dtype=torch.uint8)
    column, row = round((x1 - left) * scale), round((y1 - top) * scale)
    place = canvas[:, row : row + rows, column : column + columns]
    place.copy_(part[:, : place.shape[1], : place.shape[2]])
    return canvas, move(targets, scale, -left * scale, -top * scale, side_px, side_px)


def _window(
    picture: Picture, targets: Targets, recipe: AugmentRecipe, generator: np.random.Generator
) -> tuple[int, int, int]:
    """Left, top and side (px) of a random square that keeps the centre of a face, if any of 20 tries does.

    As in the paper the face kept is at least ``keep_face_px`` large in the result, unless the picture has none so large.
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
) -> tuple[torch.Tensor, Targets]:
    """Several pictures in a square grid; what the last column and row leave over stays ``fill``."""
    cells = int(generator.choice(recipe.mosaic_grids))
    tile_px = side_px // cells
    canvas = torch.full((3, side_px, side_px), recipe.fill, dtype=torch.uint8)
    moved = []
    for place in range(cells * cells):
        row, column = divmod(place, cells)
        top, left = row * tile_px, column * tile_px
        pixels, targets = _crop(*draw(), recipe, tile_px, generator)
        canvas[:, top : top + tile_px, left : left + tile_px] = pixels
        moved.append(move(targets, 1.0, left, top, side_px, side_px))
    joined = Targets(
        np.concatenate([t.boxes for t in moved]),
        np.concatenate([t.labels for t in moved]),
        np.concatenate([t.landmarks for t in moved]),
        np.concatenate([t.ignore for t in moved]),
    )
    return canvas, joined
