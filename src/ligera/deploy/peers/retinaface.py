"""RetinaFace mobilenet0.25 as others export it (Deng et al. 2020): face, box and five landmarks.

Three outputs of 4, 2 and 10 columns, whatever their names; scores after the softmax. Priors 16, 32 / 64, 128 / 256,
512 px at strides 8, 16, 32; input BGR minus (104, 117, 123). Decoded by ``models.decode``, as our own are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ligera.deploy.engine import check_finite, limited
from ligera.deploy.peers.selection import open_network, outputs_of
from ligera.deploy.runtimes import Runtime
from ligera.errors import ModelError
from ligera.models.decode import decode
from ligera.models.preprocess import prepare
from ligera.records import Decoding, Detections, Preprocess

__all__ = ["RetinaFacePeer"]

PREPROCESS = Preprocess(mean=(104.0, 117.0, 123.0), channels="bgr")
DECODING = Decoding(activation="none", score_threshold=0.5, nms_iou=0.4)
PARTS = {4: "boxes", 2: "scores", 10: "landmarks"}


class RetinaFacePeer:
    """A RetinaFace ONNX in a runtime."""

    name = "retinaface"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @classmethod
    def load(cls, path: Path, *, threads: int | None = None) -> RetinaFacePeer:
        runtime = open_network(path, threads, (), "RetinaFace")
        widths = sorted(shape[-1] for shape in runtime.output_shapes.values() if shape and shape[-1])
        if widths != sorted(PARTS):
            raise ModelError(f"{path}: is no RetinaFace model, its outputs have {widths} columns, not 2, 4 and 10")
        return cls(runtime)

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        batch, scale = prepare(pixels, limited(PREPROCESS, max_side))
        outputs = self.runtime.run(batch)
        rule = DECODING if score is None else replace(DECODING, score_threshold=score)
        with outputs_of(self.name):
            raw = {PARTS[value.shape[-1]]: value[0] for value in outputs.values()}
            found = decode(raw, rule, input_size=batch.shape[2:], scale=scale, original_size=pixels.shape[:2])
            check_finite(found)
        return found

    def close(self) -> None:
        self.runtime.close()
