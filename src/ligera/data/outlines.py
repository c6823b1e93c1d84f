"""Masks and parts as polygons: what files and drawings need where a region is not one polygon already.

In: ``(H, W)`` pixels, or polygons ``(N, 2)`` ``x y`` px. Out: polygons along the edges of the pixels, so that filling
them gives the same pixels back (holes are filled), or one polygon through all parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

__all__ = ["joined", "outlines_of"]

_BLOCK = 2
_MOST_CANDIDATES = 512


def outlines_of(mask: np.ndarray, *, least_area_px2: float = 0.0) -> tuple[np.ndarray, ...]:
    """One polygon ``(N, 2)`` float64 for each connected part of ``mask`` ``(H, W)``, largest first.

    Points lie on pixel corners: the pixel in column x covers x to x + 1. Pixels that touch only at a corner are one
    part. Parts whose polygon encloses less than ``least_area_px2`` are left out.
    """
    mask = np.asarray(mask) != 0
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return ()
    left, top = int(columns[0]), int(rows[0])
    crop = mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(np.uint8)
    # OpenCV walks through the middles of pixels. In blocks of 2 x 2 those lie in the first or the second half, which
    # tells the edge that they belong to.
    blocks = cv2.resize(crop, None, fx=_BLOCK, fy=_BLOCK, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(blocks, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corner = np.array([left, top], np.float64)
    parts = [_on_edges(contour[:, 0, :]) + corner for contour in contours]
    sized = [(cv2.contourArea(part.astype(np.float32)), place) for place, part in enumerate(parts)]
    sized.sort(key=lambda pair: (-pair[0], pair[1]))
    return tuple(parts[place] for area, place in sized if area >= least_area_px2)


def _on_edges(points: np.ndarray) -> np.ndarray:
    edges = ((points + 1) // _BLOCK).astype(np.float64)
    # Inner corners are walked around in two steps that are one here.
    return edges[(edges != np.roll(edges, 1, axis=0)).any(axis=1)]


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """One polygon through all ``parts``, tied by lines walked there and back, which enclose nothing."""
    whole = np.asarray(parts[0], np.float64)
    for part in parts[1:]:
        piece = np.asarray(part, np.float64)
        if _turns_left(piece) != _turns_left(whole):
            piece = piece[::-1]
        here, there = _nearest(whole, piece)
        tour = np.concatenate([piece[there:], piece[: there + 1]])
        whole = np.concatenate([whole[: here + 1], tour, whole[here:]])
    return whole


def _turns_left(points: np.ndarray) -> bool:
    x, y = points.T - points[0][:, None]
    return bool(x[:-1] @ y[1:] - y[:-1] @ x[1:] > 0)


def _nearest(left: np.ndarray, right: np.ndarray) -> tuple[int, int]:
    """Places of the two nearest points, of at most 512 spread over each polygon."""
    some = [np.arange(0, len(points), -(-len(points) // _MOST_CANDIDATES)) for points in (left, right)]
    apart = ((left[some[0]][:, None] - right[some[1]][None]) ** 2).sum(axis=2)
    here, there = np.unravel_index(int(apart.argmin()), apart.shape)
    return int(some[0][here]), int(some[1][there])
