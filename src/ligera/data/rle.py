"""Masks as run lengths, the way COCO keeps them: counts in a list, or packed into text.

In: the ``counts`` of a COCO segmentation from anyone, or ``(H, W)`` pixels. Out: :class:`Rle`, or ``ValueError`` with
what is wrong. Runs go down the columns, 0 and 1 by turns, starting with 0; the text packs each count into characters
of five bits, from the third on as the difference to the count two before (COCO's mask format, Lin et al. 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ligera.data.pictures import MAX_PIXELS

__all__ = ["Rle", "rle_from_counts", "rle_from_pixels", "rle_from_text"]

_FIRST_LETTER = 48
_MORE, _NEGATIVE, _PAYLOAD_BITS = 0x20, 0x10, 5
_MOST_LETTERS = 7  # 34 bits and a sign, more than any picture has pixels


@dataclass(frozen=True, slots=True, eq=False)
class Rle:
    """A mask of ``height`` x ``width`` px as ``counts`` ``(M,)`` int64, the lengths of its runs."""

    height: int
    width: int
    counts: np.ndarray

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or self.height * self.width > MAX_PIXELS:
            raise ValueError(f"expected a mask of up to {MAX_PIXELS:,} pixels, got {self.width} x {self.height}")
        if self.counts.size and self.counts.min() < 0:
            raise ValueError(f"expected runs of 0 or more pixels, got {self.counts.min()}")
        total = int(self.counts.sum())
        if total != self.height * self.width:
            raise ValueError(
                f"expected runs of {self.height * self.width:,} pixels together "
                f"({self.width} x {self.height}), got {total:,}"
            )

    @property
    def area_px2(self) -> int:
        return int(self.counts[1::2].sum())

    def box(self) -> np.ndarray:
        """``(4,)`` float64 ``x1 y1 x2 y2`` px around all set pixels; zeros where none is set."""
        ends = np.cumsum(self.counts)
        firsts, lasts = ends[0:-1:2], ends[1::2] - 1
        firsts, lasts = firsts[lasts >= firsts], lasts[lasts >= firsts]
        if not len(firsts):
            return np.zeros(4)
        # A run that crosses into the next column touches both its top and its bottom.
        crosses = firsts // self.height != lasts // self.height
        top = 0 if crosses.any() else (firsts % self.height).min()
        bottom = self.height if crosses.any() else (lasts % self.height).max() + 1
        left, right = firsts.min() // self.height, lasts.max() // self.height + 1
        return np.array([left, top, right, bottom], np.float64)

    def pixels(self) -> np.ndarray:
        """The mask, ``(H, W)`` bool."""
        turns = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(turns, self.counts).reshape(self.width, self.height).T

    def text(self) -> str:
        """The counts packed into text."""
        steps = self.counts.astype(np.int64)
        steps[3:] -= self.counts[1:-2]
        letters = bytearray()
        for step in steps.tolist():
            rest, more = step, True
            while more:
                bits = rest & 0x1F
                rest >>= _PAYLOAD_BITS
                more = rest != (-1 if bits & _NEGATIVE else 0)
                letters.append(_FIRST_LETTER + (bits | _MORE if more else bits))
        return letters.decode("ascii")


def rle_from_counts(counts: Sequence[Any], height: int, width: int) -> Rle:
    """Run lengths as they stand in a list; raises ``ValueError`` for anything but whole numbers that fit the size."""
    array = np.array(counts) if counts else np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ValueError("expected a list of whole numbers")
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.floor(array))).all():
        raise ValueError("expected a list of whole numbers")
    if array.size and np.abs(array.astype(np.float64)).max() > MAX_PIXELS:
        raise ValueError(f"expected runs of up to {MAX_PIXELS:,} pixels")
    return Rle(height, width, array.astype(np.int64))


def rle_from_text(text: str, height: int, width: int) -> Rle:
    """Unpack counts from COCO's text; raises ``ValueError`` where it is damaged or does not fit the size."""
    try:
        letters = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - _FIRST_LETTER
    except UnicodeEncodeError:
        raise ValueError("expected packed counts, got letters that do not belong there") from None
    if not letters.size:
        return Rle(height, width, np.zeros(0, np.int64))
    if letters.min() < 0 or letters.max() > 0x3F:
        raise ValueError("expected packed counts, got letters that do not belong there")
    last = (letters & _MORE) == 0
    if not last[-1]:
        raise ValueError("the packed counts are cut short")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() >= _MOST_LETTERS:
        raise ValueError("the packed counts hold a number larger than any picture")
    places = np.arange(letters.size) - np.repeat(starts, ends - starts + 1)
    steps = np.add.reduceat((letters & 0x1F) << (_PAYLOAD_BITS * places), starts)
    negative = (letters[ends] & _NEGATIVE) != 0
    steps[negative] -= np.int64(1) << (_PAYLOAD_BITS * (ends - starts + 1))[negative]
    # From the third on each is the difference to the one two before, so odd and even places sum up apart.
    steps[1::2] = np.cumsum(steps[1::2])
    steps[2::2] = np.cumsum(steps[2::2])
    return Rle(height, width, steps)


def rle_from_pixels(mask: np.ndarray) -> Rle:
    """Run lengths of ``(H, W)`` pixels, set where they are not 0; raises ``ValueError`` for another shape."""
    mask = np.asarray(mask)
    if mask.ndim != 2 or not mask.size:
        raise ValueError(f"expected a mask (H, W), got {mask.shape}")
    flat = mask.T.ravel() != 0
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0], edges, [flat.size]])
    counts = np.diff(bounds)
    return Rle(*mask.shape, np.concatenate([[0], counts]) if flat[0] else counts)
