"""What light, lenses, networks and hands do to a picture of faces, as augmentation; boxes stay where they are.

In and out: ``(H, W, 3)`` uint8 RGB. Small faces on photographs of crowds are dark, tinted, blurred, compressed and half
hidden more often than the portraits a training set is rich in.
"""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["blur", "compress", "hide_parts", "light"]


def light(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Darker or brighter by a power of 0.45 to 2.5, each channel with a gain of its own of 0.75 to 1.25."""
    power = np.exp(generator.uniform(np.log(0.45), np.log(2.5)))
    curve = 255 * (np.arange(256) / 255) ** power
    gains = generator.uniform(0.75, 1.25, 3)
    table = np.clip(np.outer(curve, gains), 0, 255).astype(np.uint8)
    return cv2.LUT(pixels, table.reshape(1, 256, 3))


def blur(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Out of focus, or moved while the picture was taken: 2 to 6 px along one direction."""
    if generator.random() < 0.5:
        return cv2.GaussianBlur(pixels, (0, 0), float(generator.uniform(0.5, 1.6)))
    length, angle = int(generator.integers(2, 7)), generator.uniform(0, np.pi)
    kernel = np.zeros((7, 7), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = (tuple(np.round(3 + sign * reach).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0)
    return cv2.filter2D(pixels, -1, kernel / kernel.sum())


def compress(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What JPEG of quality 15 to 70 leaves."""
    quality = int(generator.integers(15, 71))
    _, stream = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(stream, cv2.IMREAD_COLOR)


def hide_parts(pixels: np.ndarray, boxes: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """A ``share`` of the faces in ``boxes`` (N, 4) hidden in part: at most half of width or height, from one side.

    What hides it is a piece of the same picture or one colour.
    """
    height, width = pixels.shape[:2]
    hidden = pixels.copy()
    for box in boxes[generator.random(len(boxes)) < share]:
        x1, y1, x2, y2 = _part(box, generator)
        x1, y1, x2, y2 = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
        if x2 <= x1 or y2 <= y1:
            continue
        left, top = (int(generator.integers(0, free + 1)) for free in (width - (x2 - x1), height - (y2 - y1)))
        piece = pixels[top : top + y2 - y1, left : left + x2 - x1]
        hidden[y1:y2, x1:x2] = piece if generator.random() < 0.7 else generator.integers(0, 256, 3)
    return hidden


def _part(box: np.ndarray, generator: np.random.Generator) -> tuple[int, int, int, int]:
    """A strip of 20 to 50 % of ``box`` along one of its four sides."""
    x1, y1, x2, y2 = box
    depth, side = generator.uniform(0.2, 0.5), generator.integers(4)
    across, down = depth * (x2 - x1), depth * (y2 - y1)
    strips = ((x1, y1, x2, y1 + down), (x1, y2 - down, x2, y2), (x1, y1, x1 + across, y2), (x2 - across, y1, x2, y2))
    left, top, right, bottom = (round(float(edge)) for edge in strips[side])
    return left, top, right, bottom
