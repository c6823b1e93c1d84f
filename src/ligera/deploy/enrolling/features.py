"""What a frozen base says of faces, computed once and kept in memory, with a few variations of each.

In: a base as ONNX and squares ``(N, S, S, 3)`` uint8 RGB. Out: features ``(N, F)`` float32. Variations are drawn before
the base and not anew in every epoch, because the base is what takes the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import DataError
from ligera.models.preprocess import prepare
from ligera.records import Preprocess

__all__ = ["Variation", "features_of", "varied"]

BATCH = 16
MOST_BYTES = 4 * 2**30

Watch = Callable[[Iterable[int], int], Iterable[int]]


@dataclass(frozen=True, slots=True)
class Variation:
    """Half of the faces mirrored, each turned by up to ``turn_degrees`` either way, and enlarged and moved by up to a
    share of its side. Paper E mirrors, and turns by up to a fifth of a circle: ``Variation(72, 0, 0)``."""

    turn_degrees: float = 8.0
    zoom: float = 0.06
    shift: float = 0.03


def varied(squares: np.ndarray, times: int, rule: Variation, random: np.random.Generator) -> np.ndarray:
    """``(times * N, S, S, 3)``: ``times`` variations of each of ``squares``, edges repeated."""
    count, side = len(squares) * times, squares.shape[1]
    found = np.empty((count, *squares.shape[1:]), np.uint8)
    for place in range(count):
        turn = random.uniform(-rule.turn_degrees, rule.turn_degrees)
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, turn, 1 + random.uniform(-rule.zoom, rule.zoom))
        matrix[:, 2] += random.uniform(-rule.shift, rule.shift, 2) * side
        square = squares[place % len(squares)]
        if random.random() < 0.5:
            square = np.ascontiguousarray(square[:, ::-1])
        found[place] = cv2.warpAffine(square, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return found


def features_of(
    runtime: OnnxRuntime, squares: np.ndarray, preprocess: Preprocess, watch: Watch | None = None
) -> np.ndarray:
    """``(N, F)`` float32 of ``squares``; ``DataError`` where they would not fit into 4 GiB."""
    starts = range(0, len(squares), BATCH)
    found: np.ndarray | None = None
    for start in watch(starts, len(starts)) if watch else starts:
        part = np.concatenate([prepare(square, preprocess)[0] for square in squares[start : start + BATCH]])
        features = runtime.run(part)["features"]
        if found is None:
            needed = len(squares) * features.shape[1] * 4
            if needed > MOST_BYTES:
                raise DataError(
                    f"{len(squares):,} faces of {features.shape[1]:,} features take {needed / 2**30:.1f} GiB, above "
                    "4 GiB; take --head pooled, a smaller --side or fewer photos"
                )
            found = np.empty((len(squares), features.shape[1]), np.float32)
        found[start : start + BATCH] = features
    return np.zeros((0, 0), np.float32) if found is None else found
