"""YuNet (Wu et al. 2023; libfacedetection, and OpenCV Zoo's ``face_detection_yunet``): face, box and five landmarks.

Anchor-free: at each cell of strides 8, 16, 32 the network gives class and objectness (their geometric mean is the
score), a box as centre offset and log side in cells, and landmark offsets in cells. Files exported for one size run at
that size, dynamic ones at the picture's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ligera.deploy.engine import limited
from ligera.deploy.peers.selection import cells, open_network, outputs_of, select
from ligera.deploy.runtimes import Runtime
from ligera.models.preprocess import prepare
from ligera.records import Detections, Preprocess

__all__ = ["YuNet"]

STRIDES = (8, 16, 32)
SCORE = 0.5
NMS_IOU = 0.3


class YuNet:
    """A YuNet ONNX in a runtime."""

    name = "yunet"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        height, width = runtime.input_shape[2:]
        self._fixed = None
        if height is not None and width is not None:
            side = max(height, width)
            # Scaled to fill and padded to the square that the graph was exported for.
            self._fixed = Preprocess(channels="bgr", min_side=side, max_side=side, multiple=side)

    @classmethod
    def load(cls, path: Path, *, threads: int | None = None) -> YuNet:
        outputs = tuple(f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES)
        return cls(open_network(path, threads, outputs, "YuNet"))

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        """``max_side`` changes nothing for a file exported for one size."""
        batch, scale = prepare(pixels, self._rule(max_side))
        raw = self.runtime.run(batch)
        with outputs_of(self.name):
            found = [_level(raw, stride, batch.shape[2:], SCORE if score is None else score) for stride in STRIDES]
            boxes, scores, landmarks = (np.concatenate(part) for part in zip(*found, strict=True))
            return select(boxes, scores, landmarks, scale=scale, size=pixels.shape[:2], iou=NMS_IOU)

    def _rule(self, max_side: int | None) -> Preprocess:
        return self._fixed or limited(Preprocess(channels="bgr"), max_side)

    def close(self) -> None:
        self.runtime.close()


def _level(
    raw: Mapping[str, np.ndarray], stride: int, size: tuple[int, int], threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and landmarks of one stride, in input pixels."""
    scores = np.sqrt(np.clip(raw[f"cls_{stride}"][0, :, 0], 0, 1) * np.clip(raw[f"obj_{stride}"][0, :, 0], 0, 1))
    keep = scores > threshold
    cell = cells(size[0] // stride, size[1] // stride)[keep]
    encoded = raw[f"bbox_{stride}"][0][keep]
    centre, half = cell + encoded[:, :2], np.exp(encoded[:, 2:]) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1) * stride
    points = (raw[f"kps_{stride}"][0][keep].reshape(-1, 5, 2) + cell[:, None]) * stride
    return boxes, scores[keep], points
