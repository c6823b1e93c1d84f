"""Augmentation of pictures with boxes and landmarks together (paper C, section 3.4; SPEC section C).

In: a picture ``(H, W, 3)`` uint8 RGB and its ``Targets``; out: a square ``(side, side, 3)`` uint8 array and the targets
that moved with it. Pixels go through OpenCV, which takes less time than torchvision and keeps torch out of this room;
all goes through one affine map (``data.affine``). The paper crops 30 to 100 % of the short side; ratios over 1 zoom
out, ``mosaic`` shows grids of pictures in place of one, and ``by_face`` picks the window by the size its face shall
have, because a crop alone only makes faces larger, and portraits would teach nothing about small ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ligera.data.affine import MIRRORED_LANDMARKS, carry, shifted, warp
from ligera.data.degrade import blur, compress, hide_parts, light
from ligera.records import Picture, Targets

GREY_WEIGHTS = (0.299, 0.587, 0.114)
LARGEST_STRETCH = 1.25
PROBABILITIES = (
    *("mosaic", "mirror", "colour", "grey", "by_face"),
    *("turn", "stretch", "hide", "light", "blur", "compress"),
)


@dataclass(frozen=True, slots=True)
class AugmentRecipe:
    """What is done and how often; ``min_face_px`` is the smallest face still taught, smaller ones become ignore.

    ``by_face``: how often a window is chosen so that one of its faces has a size from ``face_px`` (any octave as likely
    as another). ``turn``: how often a picture is turned, by up to ``turn_deg``; ``stretch``: how often it is made up to
    25 % wider or narrower. ``hide``: the share of faces hidden in part. ``light``, ``blur``, ``compress``: how often a
    sample goes through the function of that name in ``data.degrade``.
    """

    crop_ratios: tuple[float, ...] = (0.3, 0.45, 0.6, 0.8, 1.0)
    keep_face_px: float = 16.0
    min_face_px: float = 4.0
    mosaic: float = 0.0
    mosaic_grids: tuple[int, ...] = (2,)
    mirror: float = 0.5
    colour: float = 0.5
    grey: float = 0.0
    fill: int = 114
    by_face: float = 0.0
    face_px: tuple[float, float] = (8.0, 160.0)
    turn: float = 0.0
    turn_deg: float = 30.0
    stretch: float = 0.0
    hide: float = 0.0
    light: float = 0.0
    blur: float = 0.0
    compress: float = 0.0

    def __post_init__(self) -> None:
        if not self.crop_ratios or not all(0 < ratio <= 100 for ratio in self.crop_ratios):
            raise ValueError("crop_ratios: expected one or more numbers above 0, up to 100")
        if not 0 <= self.fill <= 255:
            raise ValueError(f"fill: expected 0 to 255, got {self.fill}")
        if not self.mosaic_grids or not all(2 <= cells <= 8 for cells in self.mosaic_grids):
            raise ValueError("mosaic_grids: expected one or more numbers of pictures a side, from 2 to 8")
        if not 0 < self.face_px[0] <= self.face_px[1]:
            raise ValueError("face_px: expected two numbers above 0, the smaller first")
        if not 0 <= self.turn_deg <= 180:
            raise ValueError(f"turn_deg: expected 0 to 180, got {self.turn_deg:g}")
        for name in PROBABILITIES:
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
        pixels, targets = _crop(*draw(), recipe, side_px, generator)
    if generator.random() < recipe.mirror:
        pixels, targets = mirror(pixels, targets)
    return _degraded(pixels, targets, recipe, generator), keep_teachable(targets, recipe.min_face_px)


def _degraded(
    pixels: np.ndarray, targets: Targets, recipe: AugmentRecipe, generator: np.random.Generator
) -> np.ndarray:
    """All that changes pixels and no box."""
    if recipe.hide:
        pixels = hide_parts(pixels, targets.boxes, recipe.hide, generator)
    if generator.random() < recipe.blur:
        pixels = blur(pixels, generator)
    if recipe.colour or recipe.grey:
        matrix = colour_matrix(recipe.colour, generator)
        if generator.random() < recipe.grey:
            matrix = np.tile(np.float32(GREY_WEIGHTS), (3, 1)) @ matrix
        pixels = cv2.transform(np.ascontiguousarray(pixels), matrix)
    if generator.random() < recipe.light:
        pixels = light(pixels, generator)
    if generator.random() < recipe.compress:
        pixels = compress(np.ascontiguousarray(pixels), generator)
    return pixels


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


def _crop(
    picture: Picture, targets: Targets, recipe: AugmentRecipe, side_px: int, generator: np.random.Generator
) -> tuple[np.ndarray, Targets]:
    """A square window on the picture, ``side_px`` large; what of it lies beyond the picture is ``fill``."""
    left, top, window_px = _window(picture, targets, recipe, side_px, generator)
    scale = side_px / window_px
    linear = np.diag([scale, scale])
    if generator.random() < recipe.stretch:
        ratio = np.exp(generator.uniform(-1, 1) * np.log(LARGEST_STRETCH) / 2)
        linear = linear @ np.diag([ratio, 1 / ratio])
    if generator.random() < recipe.turn:
        angle = np.deg2rad(generator.uniform(-recipe.turn_deg, recipe.turn_deg))
        linear = linear @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    middle = np.array([left, top]) + window_px / 2
    matrix = np.column_stack([linear, side_px / 2 - linear @ middle])
    size = (side_px, side_px)
    return warp(picture.pixels, matrix, size, recipe.fill), carry(targets, matrix, size)


def _window(
    picture: Picture, targets: Targets, recipe: AugmentRecipe, side_px: int, generator: np.random.Generator
) -> tuple[int, int, int]:
    """Left, top and side (px) of a random square that keeps the centre of a face, if any of 20 tries does.

    As in the paper that face is at least ``keep_face_px`` large, unless the picture has none so large.
    """
    if len(targets) and generator.random() < recipe.by_face:
        return _window_by_face(picture, targets, recipe, side_px, generator)
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


def _window_by_face(
    picture: Picture, targets: Targets, recipe: AugmentRecipe, side_px: int, generator: np.random.Generator
) -> tuple[int, int, int]:
    """A window in which one face, any of them, has a size drawn from ``face_px``, at most 70 % of the window's side.

    It shows no more than twice the picture's long side, and lies within the picture as far as it can.
    """
    box = targets.boxes[generator.integers(len(targets))]
    largest = max(recipe.face_px[0], min(recipe.face_px[1], 0.7 * side_px))
    wanted_px = np.exp(generator.uniform(np.log(recipe.face_px[0]), np.log(largest)))
    side = int(side_px * (box[2:] - box[:2]).max() / wanted_px)
    side = min(max(side, 8), 2 * max(picture.width, picture.height))
    corner = (box[:2] + box[2:]) / 2 - side * generator.uniform(0.15, 0.85, 2)
    free = np.array([picture.width, picture.height]) - side
    left, top = np.clip(corner, np.minimum(0, free), np.maximum(0, free)).astype(int)
    return int(left), int(top), side


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
        tile, targets = _crop(*draw(), recipe, tile_px, generator)
        canvas[y : y + tile_px, x : x + tile_px] = tile
        shown.append(shifted(targets, (x, y)))
    parts = ("boxes", "labels", "landmarks", "ignore")
    return canvas, Targets(*(np.concatenate([getattr(targets, part) for targets in shown]) for part in parts))
