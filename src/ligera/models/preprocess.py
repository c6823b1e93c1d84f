"""Picture -> network input, in numpy and OpenCV, shared by training's evaluation and by every runtime."""

from __future__ import annotations

import cv2
import numpy as np

from ligera.records import Preprocess


def input_size(height: int, width: int, rule: Preprocess) -> tuple[int, int]:
    """Height and width, in px, of the resized picture before padding."""
    if rule.fixed is not None:
        return rule.fixed
    long_side = max(height, width)
    factor = 1.0
    if rule.max_side is not None and long_side > rule.max_side:
        factor = rule.max_side / long_side
    elif rule.min_side is not None and long_side < rule.min_side:
        factor = rule.min_side / long_side
    return max(1, round(height * factor)), max(1, round(width * factor))


def prepare(pixels: np.ndarray, rule: Preprocess) -> tuple[np.ndarray, np.ndarray]:
    """``(H, W, 3)`` uint8 RGB -> a batch of one, and the scale ``(2,)`` (x, y) from original to input pixels."""
    height, width = pixels.shape[:2]
    rows, columns = input_size(height, width, rule)
    if (rows, columns) != (height, width):
        shrinks = rows * columns < height * width
        pixels = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    padded = rows + -rows % rule.multiple, columns + -columns % rule.multiple
    batch = np.zeros((1, 3, *padded) if rule.layout == "nchw" else (1, *padded, 3), rule.dtype)
    # Plane by plane is thirty times as fast as converting and transposing the whole picture.
    order = cv2.split(pixels) if rule.channels == "rgb" else cv2.split(pixels)[::-1]
    for place, plane in enumerate(order):
        target = batch[0, place] if rule.layout == "nchw" else batch[0, :, :, place]
        target = target[:rows, :columns]
        target[:] = plane
        if rule.mean[place]:
            target -= rule.mean[place]
        if rule.scale[place] != 1.0:
            target *= rule.scale[place]
    return batch, np.array([columns / width, rows / height], np.float32)
