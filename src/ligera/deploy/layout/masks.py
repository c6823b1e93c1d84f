"""Masks of a few cells -> masks in pixels of the page, and their outlines.

In: probabilities ``(M, M)`` float32 over a box, the box in px of the page. Out: the mask inside a window of the page,
the whole page's mask, or polygons ``(V, 2)`` float32 ``x y`` along the borders of pixels. A mask is what is above
one half, as in torchvision's own evaluation.
"""

from __future__ import annotations

import cv2
import numpy as np

from ligera.data.outlines import outlines_of

__all__ = ["mask_polygons", "mask_window", "paste_mask"]

THRESHOLD = 0.5
# Outlines may leave out corners nearer than this to a straight line: a third of the vertices, no visible difference.
STRAIGHT_WITHIN_PX = 0.75
SPECK_SHARE = 0.02


def mask_window(mask: np.ndarray, box: np.ndarray, page_size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """Probabilities ``(h, w)`` over the part of the page that the mask reaches, and that part's left and top in px.

    ``page_size`` is (height, width). The mask is framed by a ring of zeros first, so that it may end inside its box.
    """
    side = mask.shape[0]
    framed = np.pad(mask, 1).astype(np.float32, copy=False)
    grown = _grow(box.astype(np.float32), np.float32((side + 2) / side))
    left, top, right, bottom = (int(value) for value in grown)
    wide, high = max(right - left + 1, 1), max(bottom - top + 1, 1)
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(right + 1, page_size[1]), min(bottom + 1, page_size[0])
    large = cv2.resize(framed, (wide, high), interpolation=cv2.INTER_LINEAR)
    return large[y1 - top : max(y2, y1) - top, x1 - left : max(x2, x1) - left], (x1, y1)


def _grow(box: np.ndarray, factor: np.float32) -> np.ndarray:
    half = (box[2:] - box[:2]) * np.float32(0.5) * factor
    centre = (box[2:] + box[:2]) * np.float32(0.5)
    return np.concatenate([centre - half, centre + half])


def paste_mask(mask: np.ndarray, box: np.ndarray, page_size: tuple[int, int]) -> np.ndarray:
    """Probabilities ``(H, W)`` float32 over the whole page, zero outside the box."""
    page = np.zeros(page_size, np.float32)
    window, (x, y) = mask_window(mask, box, page_size)
    page[y : y + window.shape[0], x : x + window.shape[1]] = window
    return page


def mask_polygons(mask: np.ndarray, box: np.ndarray, page_size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """The outlines of a mask, largest first, each ``(V, 2)`` px of the page; none where nothing is above one half.

    Specks of less than a fiftieth of the largest part's area are left out, and so are holes.
    """
    window, corner = mask_window(mask, box, page_size)
    borders = [border.astype(np.float32) for border in outlines_of(window > THRESHOLD)]
    if not borders:
        return ()
    least = cv2.contourArea(borders[0]) * SPECK_SHARE
    large = (border for border in borders if cv2.contourArea(border) >= least)
    return tuple(_simple(border) + np.array(corner, np.float32) for border in large)


def _simple(border: np.ndarray) -> np.ndarray:
    fewer = cv2.approxPolyDP(border, STRAIGHT_WITHIN_PX, closed=True)[:, 0]
    return fewer if len(fewer) >= 3 else border
