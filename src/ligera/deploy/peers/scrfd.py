"""SCRFD with key points (Guo et al. 2022; InsightFace's ``scrfd_*_bnkps``): face, box and five landmarks.

Two anchors at each cell of strides 8, 16, 32; boxes are the distances from the cell's corner to the four sides and
landmarks the offsets from it, both in cells. Input RGB, (pixel - 127.5) / 128.
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

__all__ = ["Scrfd"]

STRIDES = (8, 16, 32)
ANCHORS = 2
SCORE = 0.5
NMS_IOU = 0.4
PREPROCESS = Preprocess(mean=(127.5,) * 3, scale=(1 / 128,) * 3)


class Scrfd:
    """A SCRFD ONNX in a runtime."""

    name = "scrfd"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @classmethod
    def load(cls, path: Path, *, threads: int | None = None) -> Scrfd:
        outputs = tuple(f"{part}_{stride}" for part in ("score", "bbox", "kps") for stride in STRIDES)
        return cls(open_network(path, threads, outputs, "SCRFD"))

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        batch, scale = prepare(pixels, limited(PREPROCESS, max_side))
        raw = self.runtime.run(batch)
        with outputs_of(self.name):
            found = [_level(raw, stride, batch.shape[2:], SCORE if score is None else score) for stride in STRIDES]
            boxes, scores, landmarks = (np.concatenate(part) for part in zip(*found, strict=True))
            return select(boxes, scores, landmarks, scale=scale, size=pixels.shape[:2], iou=NMS_IOU)

    def close(self) -> None:
        self.runtime.close()


def _level(
    raw: Mapping[str, np.ndarray], stride: int, size: tuple[int, int], threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and landmarks of one stride, in input pixels."""
    scores = raw[f"score_{stride}"].reshape(-1)
    keep = scores > threshold
    corner = cells(size[0] // stride, size[1] // stride, ANCHORS)[keep]
    distance = raw[f"bbox_{stride}"].reshape(-1, 4)[keep]
    boxes = np.concatenate([corner - distance[:, :2], corner + distance[:, 2:]], axis=1) * stride
    points = (raw[f"kps_{stride}"].reshape(-1, 5, 2)[keep] + corner[:, None]) * stride
    return boxes, scores[keep], points
