"""dlib's frontal face detector: histograms of oriented gradients and a linear classifier (King 2015); no landmarks.

Its confidence s has no upper end; the score here is the logistic function of it, so that 0.5 is where dlib draws the
line. Faces are found from 80 px on, or 40 px in the doubled picture that dlib's own examples search.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ligera.boxes import clip
from ligera.deploy.engine import limited
from ligera.deploy.peers.packages import MissingPackage
from ligera.models.preprocess import prepare
from ligera.records import Detections, Preprocess

__all__ = ["DlibHog"]

DOUBLINGS = 1
# Further down dlib returns a box for nearly every window.
LOWEST_CONFIDENCE = -1.0
SCORE = 0.5


class DlibHog:
    """dlib's detector with the weights that it brings along."""

    name = "dlib"
    runtime = None

    def __init__(self, detector: Any) -> None:
        self._detector = detector

    @classmethod
    def load(cls) -> DlibHog:
        try:
            import dlib
        except ModuleNotFoundError:
            raise MissingPackage("dlib", "the dlib detector", "pip install dlib-bin") from None
        return cls(dlib.get_frontal_face_detector())

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        batch, scale = prepare(pixels, _rule(max_side))
        least = SCORE if score is None else score
        confidence = max(LOWEST_CONFIDENCE, math.log(least / (1 - least)) if 0 < least < 1 else LOWEST_CONFIDENCE)
        found, confidences, _ = self._detector.run(batch[0], DOUBLINGS, confidence)
        corners = [(box.left(), box.top(), box.right(), box.bottom()) for box in found]
        boxes = np.array(corners, np.float32).reshape(-1, 4) / np.tile(scale, 2)
        scores = 1 / (1 + np.exp(-np.array(confidences, np.float64)))
        order = np.argsort(-scores, kind="stable")
        kept = order[scores[order] >= least]
        return Detections(clip(boxes, pixels.shape[1], pixels.shape[0]), scores).take(kept)

    def close(self) -> None:
        """Nothing to free before the object goes."""


def _rule(max_side: int | None) -> Preprocess:
    return limited(Preprocess(dtype="uint8", layout="nhwc", multiple=1), max_side)
