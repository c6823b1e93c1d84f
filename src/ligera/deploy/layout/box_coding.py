"""Encoded offsets -> boxes, as in Faster R-CNN (Ren et al. 2015), and what is done to them right after."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["decode_offsets", "wide_enough"]

# exp of more would be a box of more than 1000 px from an anchor of 16: torchvision's bound
LARGEST_LOG_RATIO = math.log(1000 / 16)


def decode_offsets(
    offsets: np.ndarray, boxes: np.ndarray, weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
) -> np.ndarray:
    """Offsets ``(N, 4)`` (centre in box sides, log of the side ratio) of boxes ``(N, 4)`` -> boxes ``(N, 4)``, px.

    ``weights`` divide the offsets. All in float32, operation by operation as torchvision does it.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = boxes[:, :2] + np.float32(0.5) * sides
    scaled = offsets / np.array(weights, np.float32)
    ratios = np.exp(np.minimum(scaled[:, 2:], np.float32(LARGEST_LOG_RATIO)))
    centres = scaled[:, :2] * sides + centres
    half = np.float32(0.5) * (ratios * sides)
    return np.concatenate([centres - half, centres + half], axis=1)


def wide_enough(boxes: np.ndarray, least_px: float) -> np.ndarray:
    """Which boxes have both sides of ``least_px`` or more, ``(N,)`` bool; those that are no numbers have not."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return (sides >= least_px).all(axis=1)
