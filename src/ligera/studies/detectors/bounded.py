"""Bounded preprocessing before any detector (paper A, section 3.1): brightness, noise and size.

In: ``(H, W, 3)`` uint8 RGB. Out: a picture of at most ``max_side_px``, its noise taken off by a median of 3 x 3 and
its middle grey brought to half of full; boxes and landmarks found in it are told in pixels of the picture given. The
paper's fourth step, "normalised contour of the face", is not said to be anything that could be done before detection.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ligera.deploy.engine import Engine
from ligera.records import Detections

__all__ = ["BoundedEngine", "bounded"]

# Darker or brighter than this the picture has more wrong with it than a power could mend.
LARGEST_POWER = 2.0


class BoundedEngine:
    """``engine`` behind the preprocessing; runs and closes as it does."""

    def __init__(self, engine: Engine, max_side_px: int) -> None:
        self.engine = engine
        self.name = engine.name
        self.runtime = engine.runtime
        self.card = getattr(engine, "card", None)
        self._max_side_px = max_side_px

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        shown, scale = bounded(pixels, self._max_side_px)
        found = self.engine.detect(shown, score=score, max_side=max_side)
        height, width = pixels.shape[:2]
        boxes = np.clip(found.boxes / np.tile(scale, 2), 0, [width, height, width, height]).astype(np.float32)
        landmarks = None if found.landmarks is None else (found.landmarks / scale).astype(np.float32)
        return replace(found, boxes=boxes, landmarks=landmarks)

    def close(self) -> None:
        self.engine.close()


def bounded(pixels: np.ndarray, max_side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The preprocessed picture and how much smaller it is: ``(x, y)``, 1 where nothing was taken off."""
    height, width = pixels.shape[:2]
    shrink = min(1.0, max_side_px / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    shown = pixels if shrink == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    shown = cv2.medianBlur(np.ascontiguousarray(shown), 3)
    return cv2.LUT(shown, _brightness(shown)), np.array([size[0] / width, size[1] / height])


def _brightness(pixels: np.ndarray) -> np.ndarray:
    """A power curve, 256 entries, that brings the median of all values to the middle, as far as it may bend."""
    middle = float(np.median(pixels)) / 255
    power = np.log(0.5) / np.log(np.clip(middle, 0.01, 0.99))
    power = float(np.clip(power, 1 / LARGEST_POWER, LARGEST_POWER))
    return np.clip(255 * (np.arange(256) / 255) ** power + 0.5, 0, 255).astype(np.uint8)
