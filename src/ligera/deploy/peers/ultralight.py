"""Ultra-Light-Fast-Generic-Face-Detector (Linzaer): face and box, no landmarks.

The exported graph decodes its priors itself: boxes come as ``x1 y1 x2 y2`` in shares of the picture, scores after the
softmax. The picture is squeezed to the graph's one size (320x240) without keeping its shape; input RGB,
(pixel - 127) / 128.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ligera.deploy.peers.selection import open_network, outputs_of, select
from ligera.deploy.runtimes import Runtime
from ligera.errors import ModelError
from ligera.models.preprocess import prepare
from ligera.records import Detections, Preprocess

__all__ = ["UltraLight"]

SCORE = 0.5
NMS_IOU = 0.3


class UltraLight:
    """An Ultra-Light ONNX (RFB or slim) in a runtime."""

    name = "ultralight"

    def __init__(self, runtime: Runtime, size: tuple[int, int]) -> None:
        self.runtime = runtime
        self._rule = Preprocess(mean=(127.0,) * 3, scale=(1 / 128,) * 3, fixed=size, multiple=1)

    @classmethod
    def load(cls, path: Path, *, threads: int | None = None) -> UltraLight:
        runtime = open_network(path, threads, ("scores", "boxes"), "Ultra-Light")
        height, width = runtime.input_shape[2:]
        if height is None or width is None:
            raise ModelError(f"{path}: is no Ultra-Light model, its input has no fixed size")
        return cls(runtime, (height, width))

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        """``max_side`` changes nothing: the input has one size."""
        batch, _ = prepare(pixels, self._rule)
        raw = self.runtime.run(batch)
        height, width = pixels.shape[:2]
        with outputs_of(self.name):
            scores = raw["scores"][0, :, 1]
            keep = scores > (SCORE if score is None else score)
            boxes = raw["boxes"][0][keep] * np.array([width, height, width, height], np.float32)
            return select(boxes, scores[keep], None, scale=np.ones(2, np.float32), size=(height, width), iou=NMS_IOU)

    def close(self) -> None:
        self.runtime.close()
