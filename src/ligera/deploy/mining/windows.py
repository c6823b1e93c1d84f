"""Random square windows about faces and in the rest of a picture (Zhang et al. 2016, training of P-Net).

In: the picture's size and its faces. Out: squares ``(N, 4)`` of whole px that lie within the picture.
"""

from __future__ import annotations

import numpy as np

__all__ = ["windows_about", "windows_anywhere", "windows_near"]

SMALLEST_WINDOW_PX = 6


def windows_near(faces: np.ndarray, size: tuple[int, int], each: int, generator: np.random.Generator) -> np.ndarray:
    """``each`` windows about as large as a face, a fifth of it aside at most: positives, part faces, landmarks.

    ``size`` is the picture's (height, width). Windows that reach beyond the picture are left out.
    """
    sides = faces[:, 2:] - faces[:, :2]
    least, most = 0.8 * sides.min(axis=1, initial=np.inf), 1.25 * sides.max(axis=1, initial=0)
    count = (len(faces), each)
    window = generator.uniform(size=count) * (most - least)[:, None] + least[:, None]
    aside = generator.uniform(-0.2, 0.2, size=(*count, 2)) * sides[:, None]
    centres = (faces[:, None, :2] + faces[:, None, 2:]) / 2 + aside
    return _within(centres.reshape(-1, 2), window.reshape(-1), size)


def windows_about(faces: np.ndarray, size: tuple[int, int], each: int, generator: np.random.Generator) -> np.ndarray:
    """``each`` windows of any size that overlap a face: mostly negatives that look like a piece of one."""
    sides = faces[:, 2:] - faces[:, :2]
    longest = sides.max(axis=1, initial=0)
    count = (len(faces), each)
    window = longest[:, None] * np.exp(generator.uniform(np.log(0.25), np.log(2), size=count))
    reach = (sides[:, None] + window[..., None]) / 2
    aside = generator.uniform(-1, 1, size=(*count, 2)) * reach
    centres = (faces[:, None, :2] + faces[:, None, 2:]) / 2 + aside
    return _within(centres.reshape(-1, 2), window.reshape(-1), size)


def windows_anywhere(size: tuple[int, int], least_px: float, count: int, generator: np.random.Generator) -> np.ndarray:
    """``count`` windows anywhere, from ``least_px`` to the picture's short side, small ones as often as large ones."""
    shortest = min(size)
    if shortest < SMALLEST_WINDOW_PX:
        return np.zeros((0, 4), np.float32)
    least = min(max(least_px, SMALLEST_WINDOW_PX), shortest)
    window = np.floor(np.exp(generator.uniform(np.log(least), np.log(shortest), size=count)))
    room = np.array(size[::-1]) - window[:, None]
    centres = generator.uniform(size=(count, 2)) * room + window[:, None] / 2
    return _within(centres, window, size)


def _within(centres: np.ndarray, sides: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    sides = np.floor(sides)
    first = np.floor(centres - sides[:, None] / 2 + 0.5)
    squares = np.concatenate([first, first + sides[:, None]], axis=1)
    ends = np.array([size[1], size[0]])
    fits = (first >= 0).all(axis=1) & (squares[:, 2:] <= ends).all(axis=1) & (sides >= SMALLEST_WINDOW_PX)
    return squares[fits].astype(np.float32)
