"""What every peer's decoding ends with: threshold, suppression, and back to the picture's own pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ligera.boxes import clip, nms
from ligera.deploy.engine import check_finite
from ligera.deploy.runtimes import Runtime, open_runtime
from ligera.errors import ModelError
from ligera.records import Detections

__all__ = ["cells", "open_network", "outputs_of", "select"]

LARGEST_INPUT_PX = 16_384
MAX_CANDIDATES = 5000
MAX_DETECTIONS = 750


def open_network(path: Path, threads: int | None, outputs: tuple[str, ...], kind: str) -> Runtime:
    """The ONNX file in a runtime; ``ModelError`` when it lacks one of ``outputs``."""
    runtime = open_runtime(path, threads=threads)
    missing = [name for name in outputs if name not in runtime.output_shapes]
    if missing:
        there = ", ".join(list(runtime.output_shapes)[:6])
        raise ModelError(f"{path}: is no {kind} model, it has no output {missing[0]!r} (it has {there})")
    shape = runtime.input_shape
    if len(shape) != 4 or any(side is not None and not 0 < side <= LARGEST_INPUT_PX for side in shape):
        raise ModelError(f"{path}: is no {kind} model, its input has the shape {shape}")
    return runtime


@contextmanager
def outputs_of(kind: str) -> Iterator[None]:
    """Around what reads raw outputs: files come from strangers, so a wrong shape in them is theirs, and no bug."""
    try:
        # whatever overflows shows as a box that is not finite
        with np.errstate(all="ignore"):
            yield
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{kind}: the file's outputs are not those of such a model ({error})") from None


def cells(rows: int, columns: int, repeat: int = 1) -> np.ndarray:
    """Column and row of each cell of a grid, row by row, each ``repeat`` times: ``(rows * columns * repeat, 2)``."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.repeat(np.stack([column, row], axis=1).astype(np.float32), repeat, axis=0)


def select(
    boxes: np.ndarray,
    scores: np.ndarray,
    landmarks: np.ndarray | None,
    *,
    scale: np.ndarray,
    size: tuple[int, int],
    iou: float,
) -> Detections:
    """Candidates in input pixels, all above the threshold -> detections in a picture of ``size`` (height, width)."""
    if len(scores) > MAX_CANDIDATES:
        best = np.argpartition(-scores, MAX_CANDIDATES)[:MAX_CANDIDATES]
        boxes, scores = boxes[best], scores[best]
        landmarks = None if landmarks is None else landmarks[best]
    boxes = clip(boxes / np.tile(scale, 2), size[1], size[0])
    kept = nms(boxes, scores, iou, MAX_DETECTIONS)
    points = None if landmarks is None else landmarks[kept] / scale
    found = Detections(boxes[kept], scores[kept], landmarks=points)
    check_finite(found)
    return found
