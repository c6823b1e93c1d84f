"""A picture as a network's input, cut to its middle where a classifier's rule says so.

In: ``(H, W, 3)`` uint8 RGB. Out: ``(1, 3, H', W')`` as ``models.preprocess`` makes it. A network is calibrated on
just what it is run on.
"""

from __future__ import annotations

import numpy as np

from ligera.data.folders import centre_square
from ligera.models.preprocess import prepare
from ligera.records import Preprocess

__all__ = ["network_input"]


def network_input(pixels: np.ndarray, rule: Preprocess) -> np.ndarray:
    """One picture as a batch of one for a network that reads pictures by ``rule``."""
    if rule.crop and rule.fixed is not None:
        pixels = centre_square(pixels, rule.fixed[0])
    return prepare(pixels, rule)[0]
