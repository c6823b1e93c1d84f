"""The boosted cascade of Haar features (Viola and Jones 2001) as OpenCV ships it: face and box, no landmarks.

A cascade has no probability. Its score here comes from the n neighbouring windows that agreed, as n / (n + 3): above
0.5 is what OpenCV's usual ``minNeighbors=3`` accepts.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ligera.deploy.engine import limited
from ligera.errors import ModelError
from ligera.models.preprocess import input_size
from ligera.records import Detections, Preprocess

__all__ = ["Haar"]

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_STEP = 1.1
USUAL_NEIGHBOURS = 3
SCORE = 0.5


class Haar:
    """A cascade from an XML file, by default OpenCV's for frontal faces."""

    name = "haar"
    runtime = None

    def __init__(self, cascade: cv2.CascadeClassifier) -> None:
        self._cascade = cascade

    @classmethod
    def load(cls, path: Path | None) -> Haar:
        """The cascade in ``path``. It runs on OpenCV's own threads (``cv2.setNumThreads``)."""
        path = path or Path(cv2.data.haarcascades) / CASCADE
        if not path.is_file():
            raise ModelError(f"{path}: no such cascade file")
        try:
            cascade = cv2.CascadeClassifier(str(path))
        except (cv2.error, SystemError):
            # OpenCV raises the second from within the first for some damaged files
            cascade = None
        if cascade is None or cascade.empty():
            raise ModelError(f"{path}: is no cascade that OpenCV can read; expected an XML such as {CASCADE}")
        return cls(cascade)

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        height, width = pixels.shape[:2]
        rows, columns = input_size(height, width, _rule(max_side))
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        if (rows, columns) != (height, width):
            grey = cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA)
        found, counts = self._cascade.detectMultiScale2(grey, scaleFactor=SCALE_STEP, minNeighbors=1)
        if len(found) == 0:
            return Detections(np.zeros((0, 4)), np.zeros(0))
        agreed = np.asarray(counts, np.float32).reshape(-1)
        scores = agreed / (agreed + USUAL_NEIGHBOURS)
        corners = np.asarray(found, np.float32)
        corners[:, 2:] += corners[:, :2]
        boxes = corners * np.tile(np.array([width / columns, height / rows], np.float32), 2)
        order = np.argsort(-scores, kind="stable")
        return Detections(boxes, scores).take(order[scores[order] > (SCORE if score is None else score)])

    def close(self) -> None:
        """Nothing to free before the object goes."""


def _rule(max_side: int | None) -> Preprocess:
    return limited(Preprocess(), max_side)
