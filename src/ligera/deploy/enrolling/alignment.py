"""A face turned upright and brought to one size by its five landmarks, so that eyes and mouth always lie at one place.

In: a picture ``(H, W, 3)`` uint8 RGB, a face's box and its landmarks ``(5, 2)`` px. Out: ``(side, side, 3)`` uint8 RGB,
the picture's edge repeated where the square leaves it. The similarity (turn, size, place) is that of least squares;
source: Umeyama 1991.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

__all__ = ["Pose", "pose_of", "resampled", "upright_square"]

# Where the landmarks lie from the middle of a face's box, in its longer sides: the means over faces that the built-in
# detector found, made symmetric. So an upright square shows as much as the one around the box does.
POINTS = np.array([(-0.156, -0.104), (0.156, -0.104), (0.0, 0.081), (-0.134, 0.234), (0.134, 0.234)])
# Landmarks that make another face of the box than this are wrong, as they are in strong profile or when guessed.
MOST_TIMES, MOST_DEGREES, MOST_OFF = 1.5, 60.0, 0.35
# A square turned by any angle fits into one this much larger.
ROOM = 1.45


@dataclass(frozen=True, slots=True)
class Pose:
    """``x, y`` of a face's middle and its longer ``side``, px, and its ``turn``, radians, clockwise as seen."""

    x: float
    y: float
    side: float
    turn: float


def pose_of(box: np.ndarray, landmarks: np.ndarray | None) -> Pose | None:
    """The pose that ``landmarks`` tell; ``None`` where there are none or they do not fit ``box`` (x1 y1 x2 y2)."""
    if landmarks is None or not np.isfinite(landmarks).all():
        return None
    points = landmarks.astype(np.float64)
    # a similarity is one complex number: points = middle + turned * POINTS
    shown, wanted = points @ (1, 1j), POINTS @ (1, 1j)
    spread = wanted - wanted.mean()
    turned = (spread.conj() @ (shown - shown.mean())) / (np.abs(spread) ** 2).sum()
    middle = shown.mean() - turned * wanted.mean()
    longer = float(max(box[2] - box[0], box[3] - box[1]))
    side, turn = abs(turned), math.atan2(turned.imag, turned.real)
    off = abs(middle - complex(*(box[:2] + box[2:]) / 2))
    fits = longer / MOST_TIMES <= side <= longer * MOST_TIMES and off <= MOST_OFF * longer
    if not fits or abs(turn) > math.radians(MOST_DEGREES):
        return None
    return Pose(middle.real, middle.imag, side, turn)


def upright_square(pixels: np.ndarray, pose: Pose, side_px: int, margin: float) -> np.ndarray:
    """The square ``margin`` times as wide as the face of ``pose``, turned upright, as ``(side_px, side_px, 3)``."""
    wide = max(2.0, margin * pose.side)
    # warping alone would skip pixels where it shrinks
    held = round(ROOM * wide)
    region_px = min(held, round(ROOM * side_px))
    left, top = round(pose.x - held / 2), round(pose.y - held / 2)
    region = resampled(pixels, left, top, held, region_px)
    share = region_px / held
    times = side_px / (wide * share)
    cosine, sine = times * math.cos(pose.turn), times * math.sin(pose.turn)
    # centres of pixels lie half a pixel in
    at_x, at_y = (pose.x - left) * share - 0.5, (pose.y - top) * share - 0.5
    middle = side_px / 2 - 0.5
    matrix = np.array(
        [[cosine, sine, middle - cosine * at_x - sine * at_y], [-sine, cosine, middle + sine * at_x - cosine * at_y]]
    )
    return cv2.warpAffine(region, matrix, (side_px, side_px), borderMode=cv2.BORDER_REPLICATE)


def resampled(pixels: np.ndarray, left: int, top: int, side: int, side_px: int) -> np.ndarray:
    """The square of ``side`` px at ``left, top`` as ``(side_px, side_px, 3)``, averaged where it shrinks."""
    height, width = pixels.shape[:2]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    square = pixels[rows[:, None], columns[None]]
    how = cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR
    return cv2.resize(square, (side_px, side_px), interpolation=how)
