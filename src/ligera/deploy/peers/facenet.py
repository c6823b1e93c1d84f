"""MTCNN (Zhang et al. 2016) with the weights of facenet-pytorch: face, box and five landmarks.

A pyramid of pictures through three small networks; faces from 20 px on. The package runs torch on torch's own threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ligera.boxes import clip
from ligera.deploy.engine import limited
from ligera.deploy.peers.packages import MissingPackage
from ligera.models.preprocess import prepare
from ligera.records import Detections, Preprocess

__all__ = ["Mtcnn"]

SMALLEST_FACE_PX = 20
SCORE = 0.5


class Mtcnn:
    """facenet-pytorch's MTCNN on the CPU, with its own thresholds: it reports nothing under 0.7."""

    name = "facenet"
    runtime = None

    def __init__(self, network: Any) -> None:
        self._network = network

    @classmethod
    def load(cls) -> Mtcnn:
        try:
            from facenet_pytorch import MTCNN
        except ModuleNotFoundError as error:
            # its own requirements pin an old torch, which would replace the one that is there
            install = "pip install 'ligera[train]' && pip install --no-deps facenet-pytorch"
            raise MissingPackage(str(error.name), "the MTCNN detector", install) from None
        return cls(MTCNN(keep_all=True, min_face_size=SMALLEST_FACE_PX, device="cpu"))

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        batch, scale = prepare(pixels, _rule(max_side))
        boxes, scores, points = self._network.detect(batch[0], landmarks=True)
        if boxes is None:
            return Detections(np.zeros((0, 4)), np.zeros(0), landmarks=np.zeros((0, 5, 2)))
        boxes = np.asarray(boxes, np.float32) / np.tile(scale, 2)
        scores = np.asarray(scores, np.float32)
        landmarks = np.asarray(points, np.float32) / scale
        order = np.argsort(-scores, kind="stable")
        kept = order[scores[order] > (SCORE if score is None else score)]
        boxes = clip(boxes, pixels.shape[1], pixels.shape[0])
        return Detections(boxes, scores, landmarks=landmarks).take(kept)

    def close(self) -> None:
        """Nothing to free before the object goes."""


def _rule(max_side: int | None) -> Preprocess:
    return limited(Preprocess(dtype="uint8", layout="nhwc", multiple=1), max_side)
