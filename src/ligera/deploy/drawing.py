"""Detections drawn into a copy of their picture, readable from thumbnails to camera originals.

In: ``(H, W, 3)`` uint8 RGB and ``Detections``. Out: the same, drawn. Sizes follow the picture; strokes have a dark
rim so that they show on any ground; numbers are left out where they would cover more than they tell. Regions with
outlines are drawn as ``data.region_drawing`` does it, a colour for each class.
"""

from __future__ import annotations

import cv2
import numpy as np

from ligera.data.region_drawing import draw_regions
from ligera.data.regions import regions_of
from ligera.records import Detections

__all__ = ["crop", "draw"]

RIM = (20, 20, 20)
BOX = (90, 230, 120)
INK = (10, 40, 15)
POINTS = ((255, 120, 60), (70, 160, 255), (255, 220, 60), (255, 120, 200), (180, 120, 255))
RIMMED_FROM_PX = 24
FONT = cv2.FONT_HERSHEY_SIMPLEX
# OpenCV's simplex capitals are this high at scale 1.
FONT_HEIGHT_PX = 22.0


def draw(pixels: np.ndarray, found: Detections, *, scores: bool = True, legend: bool = True) -> np.ndarray:
    """A copy of the picture with boxes, landmarks and, where there is room, scores; the best are drawn last, on top.

    Where detections have outlines, these are drawn instead, and with ``legend`` a strip below names their classes.
    """
    if found.polygons is not None:
        return draw_regions(pixels, regions_of(found), found.names, legend=legend)
    picture = np.ascontiguousarray(pixels).copy()
    side = max(picture.shape[:2])
    stroke = max(1, round(side / 500))
    for i in range(len(found) - 1, -1, -1):
        x1, y1, x2, y2 = (round(float(value)) for value in found.boxes[i])
        # A thick frame with a rim would hide a small face.
        own = min(stroke, max(1, round((x2 - x1) / 16)))
        if x2 - x1 >= RIMMED_FROM_PX:
            cv2.rectangle(picture, (x1, y1), (x2, y2), RIM, own + 2, cv2.LINE_AA)
        cv2.rectangle(picture, (x1, y1), (x2, y2), BOX, own, cv2.LINE_AA)
        if found.landmarks is not None:
            _draw_points(picture, found.landmarks[i], max(1, round((x2 - x1) / 30)))
        if scores:
            _draw_score(picture, f"{found.scores[i]:.2f}", (x1, y1, x2), side)
    return picture


def _draw_points(picture: np.ndarray, points: np.ndarray, radius: int) -> None:
    for (x, y), colour in zip(points, POINTS, strict=True):
        if np.isfinite(x) and np.isfinite(y):
            centre = (round(float(x)), round(float(y)))
            cv2.circle(picture, centre, radius + 1, RIM, -1, cv2.LINE_AA)
            cv2.circle(picture, centre, radius, colour, -1, cv2.LINE_AA)


def _draw_score(picture: np.ndarray, text: str, box: tuple[int, int, int], side: int) -> None:
    """The score on a plate above the box (inside it at the upper edge), if it is no wider than the box by much."""
    x1, y1, x2 = box
    scale = max(9.0, side / 80) / FONT_HEIGHT_PX
    weight = max(1, round(scale * 1.6))
    (width, height), _ = cv2.getTextSize(text, FONT, scale, weight)
    margin = max(1, height // 4)
    if width + 2 * margin > 1.3 * (x2 - x1):
        return
    top = y1 - height - 2 * margin
    top = y1 if top < 0 else top
    left = min(max(0, x1), max(0, picture.shape[1] - width - 2 * margin))
    cv2.rectangle(picture, (left, top), (left + width + 2 * margin, top + height + 2 * margin), BOX, -1)
    cv2.putText(picture, text, (left + margin, top + margin + height), FONT, scale, INK, weight, cv2.LINE_AA)


def crop(pixels: np.ndarray, box: np.ndarray, *, margin: float = 0.2) -> np.ndarray:
    """The part of the picture in ``box`` (x1 y1 x2 y2 px), widened by ``margin`` of its sides, at least one pixel."""
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = (float(value) for value in box)
    wide, high = (x2 - x1) * margin, (y2 - y1) * margin
    left, top = int(np.clip(x1 - wide, 0, width - 1)), int(np.clip(y1 - high, 0, height - 1))
    right = int(np.clip(np.ceil(x2 + wide), left + 1, width))
    bottom = int(np.clip(np.ceil(y2 + high), top + 1, height))
    return pixels[top:bottom, left:right].copy()
