"""Pictures and crops resized by plain means over whole pixels: the resizing MTCNN's networks were trained on.

Output pixel ``i`` of ``n`` is the mean of the input pixels from ``floor(i * size / n)`` up to, not including,
``ceil((i + 1) * size / n)``, along both axes: windows of whole pixels that share their borders, as adaptive average
pooling takes them (and unlike OpenCV's INTER_AREA, which weighs border pixels). Sums come from one summed-area table
per picture, so a level of a pyramid or a crop costs as much as it has pixels, whatever it was made from, and is exact.
"""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["AreaSums"]


class AreaSums:
    """The summed-area table of one picture, ``(H, W, 3)`` uint8 RGB; 16 bytes for each of its pixels."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.height, self.width = pixels.shape[:2]
        # Sums may wrap past 2**31 in a large picture; differences of two of them are right all the same.
        table = cv2.integral(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA), sdepth=cv2.CV_32S)
        # Four channels of int32 move as one item of 16 bytes, twice to four times as fast as three tables.
        self._table = table.reshape(self.height + 1, -1).view(np.complex128)

    def shrink(self, rows: int, columns: int, out: np.ndarray | None = None) -> np.ndarray:
        """The whole picture at that size, ``(3, rows, columns)`` float32 of 0 to 255, in ``out`` where given."""
        top, bottom = _edges(np.int64(0), np.int64(self.height), rows)
        left, right = _edges(np.int64(0), np.int64(self.width), columns)
        bands = self._table.take(bottom, axis=0).view(np.int32)
        bands -= self._table.take(top, axis=0).view(np.int32)
        columns_of = bands.view(np.complex128)
        sums = columns_of.take(right, axis=1).view(np.int32)
        sums -= columns_of.take(left, axis=1).view(np.int32)
        if out is None:
            out = np.empty((3, rows, columns), np.float32)
        _means(sums.reshape(1, rows, columns, 4), (bottom - top)[None], (right - left)[None], out[None])
        return out

    def crops(self, corners: np.ndarray, side: int, out: np.ndarray | None = None) -> np.ndarray:
        """Regions ``(N, 4)`` integer ``x1 y1 x2 y2``, ends excluded, at one size: ``(N, 3, side, side)`` float32.

        Every region lies in the picture and has at least one pixel. In ``out`` where given.
        """
        corners = np.asarray(corners, np.int64)
        left, right = _edges(corners[:, 0], corners[:, 2], side)
        top, bottom = _edges(corners[:, 1], corners[:, 3], side)
        high, wide = bottom - top, right - left
        first, last = (rows[:, :, None] * (self.width + 1) for rows in (top, bottom))
        left, right = left[:, None, :], right[:, None, :]
        table = self._table.reshape(-1)
        sums = table.take(last + right).view(np.int32)
        sums += table.take(first + left).view(np.int32)
        sums -= table.take(last + left).view(np.int32)
        sums -= table.take(first + right).view(np.int32)
        if out is None:
            out = np.empty((len(corners), 3, side, side), np.float32)
        _means(sums.reshape(-1, side, side, 4), high, wide, out)
        return out


def _edges(start: np.ndarray, stop: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixels of the ``count`` windows between ``start`` and ``stop``, and the pixels after their last ones."""
    size = (stop - start)[..., None]
    place = np.arange(count)
    return start[..., None] + place * size // count, start[..., None] - (-(place + 1) * size // count)


def _means(sums: np.ndarray, high: np.ndarray, wide: np.ndarray, out: np.ndarray) -> None:
    """``(N, rows, columns, 4)`` sums of windows ``high`` by ``wide`` px -> ``(N, 3, rows, columns)`` means."""
    for channel in range(3):
        out[:, channel] = sums[..., channel]
    out /= high.astype(np.float32)[:, None, :, None]
    out /= wide.astype(np.float32)[:, None, None, :]
