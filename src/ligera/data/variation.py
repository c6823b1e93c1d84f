"""Variations of one picture with its faces: other sizes, scales and rotations, mirrored (SPEC section A, augmentation).

In: a picture ``(H, W, 3)`` uint8 RGB and its ``Targets``. Out: another picture, of a size of its own, and the targets
where they are in it. One affine map does it all (``data.affine``), so pixels are resampled once. What lies beyond the
picture is grey: reflecting the edge would show faces that nobody labelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ligera.data.affine import carry, warp
from ligera.data.augment import keep_teachable
from ligera.records import Picture, Targets

__all__ = ["Variation", "vary"]

TRIES = 20


@dataclass(frozen=True, slots=True)
class Variation:
    """How far a variation may go.

    ``size``: sides of the new picture over those of the old. ``scale``: how much larger things appear in it than that
    alone would make them. ``rotation_deg``: up to so many degrees either way. ``mirror``: how often (0 to 1).
    ``shift``: how far the middle moves, in sides. ``max_side_px`` bounds the new long side; faces whose long side falls
    under ``min_face_px`` become ignore regions.
    """

    size: tuple[float, float] = (0.5, 1.0)
    scale: tuple[float, float] = (0.75, 1.5)
    rotation_deg: float = 30.0
    mirror: float = 0.5
    shift: float = 0.15
    max_side_px: int = 1280
    min_face_px: float = 8.0
    fill: int = 114

    def __post_init__(self) -> None:
        for name in ("size", "scale"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 10:
                raise ValueError(f"{name}: expected two numbers above 0 and up to 10, the smaller first")
        if not 0 <= self.rotation_deg <= 180:
            raise ValueError(f"rotation_deg: expected 0 to 180, got {self.rotation_deg:g}")
        if not 0 <= self.mirror <= 1 or not 0 <= self.shift <= 0.5:
            raise ValueError("expected mirror from 0 to 1 and shift from 0 to 0.5")
        if not 32 <= self.max_side_px <= 16_384:
            raise ValueError(f"max_side_px: expected 32 to 16384, got {self.max_side_px}")


def vary(
    picture: Picture, targets: Targets, variation: Variation, generator: np.random.Generator
) -> tuple[np.ndarray, Targets]:
    """One variation; all chance comes from ``generator``. Of a picture with faces, at least one stays in view."""
    size = _new_size(picture, variation, generator)
    matrix, mirrored = _map(picture, size, variation, generator)
    for _ in range(TRIES):
        moved = carry(targets, matrix, size, mirrored=mirrored)
        if len(moved) or not len(targets):
            break
        matrix, mirrored = _map(picture, size, variation, generator)
    else:
        # Whole and upright, every face stays in view.
        matrix, mirrored = _affine(picture, size, min(size[0] / picture.width, size[1] / picture.height)), False
        moved = carry(targets, matrix, size)
    return warp(picture.pixels, matrix, size, variation.fill), keep_teachable(moved, variation.min_face_px)


def _new_size(picture: Picture, variation: Variation, generator: np.random.Generator) -> tuple[int, int]:
    """Width and height of the new picture, px: the old ones times a factor with equal chance per octave."""
    factor = _log_uniform(variation.size, generator)
    factor = min(factor, variation.max_side_px / max(picture.width, picture.height))
    return max(1, round(picture.width * factor)), max(1, round(picture.height * factor))


def _log_uniform(bounds: tuple[float, float], generator: np.random.Generator) -> float:
    return float(np.exp(generator.uniform(*np.log(bounds))))


def _map(
    picture: Picture, size: tuple[int, int], variation: Variation, generator: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """A random affine map from the picture into a frame of ``size``, and whether it mirrors."""
    scale = _log_uniform(variation.scale, generator) * max(size) / max(picture.width, picture.height)
    angle = np.deg2rad(generator.uniform(-variation.rotation_deg, variation.rotation_deg))
    mirrored = bool(generator.random() < variation.mirror)
    shift = generator.uniform(-variation.shift, variation.shift, 2) * size
    return _affine(picture, size, scale, float(angle), mirrored, shift), mirrored


def _affine(
    picture: Picture,
    size: tuple[int, int],
    scale: float,
    angle: float = 0.0,
    mirrored: bool = False,
    shift: np.ndarray | tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """The map ``(2, 3)`` that takes the picture's middle to the frame's, ``shift`` px beside it."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        turn = turn @ np.diag([-1.0, 1.0])
    middle = np.array([picture.width, picture.height]) / 2
    target = np.array(size) / 2 + shift
    return np.column_stack([turn, target - turn @ middle])
