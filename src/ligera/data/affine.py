"""Affine maps of a picture with its faces: pixels, boxes, landmarks and ignore regions under one ``(2, 3)`` matrix.

In and out: pixels ``(H, W, 3)`` uint8, ``Targets`` in pixels, x before y. A rotated box is that of the rotated ellipse
inside the old one, which fits a head; the box around the old one's corners would grow by up to 41 %.
"""

from __future__ import annotations

import cv2
import numpy as np

from ligera.records import Targets

__all__ = ["MIRRORED_LANDMARKS", "carry", "shifted", "warp"]

MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]
# OpenCV's warp counts pixels in 16 bits.
LARGEST_WARPED_PX = 32_000


def carry(targets: Targets, matrix: np.ndarray, size: tuple[int, int], *, mirrored: bool = False) -> Targets:
    """Targets after the affine ``matrix`` (2, 3), seen in a frame of ``size`` (width, height) px.

    A face whose centre leaves the frame goes, and what still shows of it becomes an ignore region; the rest are cut at
    the edge. Landmarks stay where they are, even just outside, and change names with sides where ``mirrored``.
    """
    boxes = _ellipse_boxes(targets.boxes, matrix)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((centre > 0) & (centre < size)).all(axis=1)
    ignore = np.concatenate([_corner_boxes(targets.ignore, matrix), boxes[~inside]])
    low, high = np.zeros(4), np.array([*size, *size], np.float64)
    ignore = np.clip(ignore, low, high)
    shows = (ignore[:, 2:] > ignore[:, :2]).all(axis=1)
    landmarks = targets.landmarks[inside].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    if mirrored:
        landmarks = landmarks[:, MIRRORED_LANDMARKS]
    return Targets(np.clip(boxes[inside], low, high), targets.labels[inside], landmarks, ignore[shows])


def shifted(targets: Targets, shift: tuple[float, float]) -> Targets:
    """Targets ``shift`` (x, y) px further."""
    twice = np.float32([*shift, *shift])
    landmarks = targets.landmarks + twice[:2]
    return Targets(targets.boxes + twice, targets.labels, landmarks, targets.ignore + twice)


def warp(pixels: np.ndarray, matrix: np.ndarray, size: tuple[int, int], fill: int) -> np.ndarray:
    """The pixels under ``matrix`` in a frame of ``size`` (width, height); beyond them is ``fill``.

    What is shrunk by more than half is averaged first, against moire.
    """
    height, width = pixels.shape[:2]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    before = scale if scale < 0.5 else min(1.0, LARGEST_WARPED_PX / max(height, width))
    if before < 1:
        small = max(1, round(width * before)), max(1, round(height * before))
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.diag([width / small[0], height / small[1], 1.0])
    # OpenCV counts from the middle of the first pixel, boxes from its edge.
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderValue=(fill, fill, fill))


def _ellipse_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes of the images of the ellipses inscribed in ``boxes``."""
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    half = ((boxes[:, 2:] - boxes[:, :2]) / 2).astype(np.float64)
    reach = np.sqrt((half**2) @ (matrix[:, :2] ** 2).T)
    return np.concatenate([centre - reach, centre + reach], axis=1)


def _corner_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Boxes around the images of the corners of ``boxes``: all that a region to ignore may have covered."""
    centre = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    reach = ((boxes[:, 2:] - boxes[:, :2]) / 2).astype(np.float64) @ np.abs(matrix[:, :2]).T
    return np.concatenate([centre - reach, centre + reach], axis=1)
