"""Raw outputs of a dense detector -> ``Detections``: one numpy decoding for training, evaluation and every runtime.

Raw outputs are ``boxes (P, 4)``, ``scores (P, K)`` and ``landmarks (P, 10)``, one row per prior. Boxes are encoded as
in SSD and RetinaFace: centre offset in prior sides over ``variances[0]``, log side ratio over ``variances[1]``;
landmarks are centre offsets. Only rows above the score threshold are ever decoded.
"""

from __future__ import annotations

import math

import numpy as np

from ligera.boxes import clip, nms
from ligera.models.priors import prior_boxes
from ligera.records import Decoding, Detections


def _margin(scores: np.ndarray, activation: str) -> np.ndarray:
    """Logit of the face probability, ``(P,)``: monotonic, so thresholds need no exponential over all priors."""
    if activation == "softmax":
        return scores[:, 1] - scores[:, 0]
    return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1]


def _cut(threshold: float, activation: str) -> float:
    if activation == "none":
        return threshold
    if threshold <= 0:
        return -math.inf
    return math.inf if threshold >= 1 else math.log(threshold / (1 - threshold))


def decode_boxes(encoded: np.ndarray, priors: np.ndarray, variances: tuple[float, float]) -> np.ndarray:
    """``(N, 4)`` encoded boxes and their priors -> ``(N, 4)`` ``x1 y1 x2 y2`` in input pixels."""
    centre = priors[:, :2] + encoded[:, :2] * variances[0] * priors[:, 2:]
    side = priors[:, 2:] * np.exp(np.minimum(encoded[:, 2:] * variances[1], 10.0))
    return np.concatenate([centre - side / 2, centre + side / 2], axis=1)


def decode_landmarks(encoded: np.ndarray, priors: np.ndarray, variances: tuple[float, float]) -> np.ndarray:
    """``(N, 10)`` encoded points and their priors -> ``(N, 5, 2)`` in input pixels."""
    points = encoded.reshape(len(encoded), 5, 2)
    return priors[:, None, :2] + points * variances[0] * priors[:, None, 2:]


def decode(
    raw: dict[str, np.ndarray],
    rule: Decoding,
    *,
    input_size: tuple[int, int],
    scale: np.ndarray,
    original_size: tuple[int, int],
    names: tuple[str, ...] = ("face",),
) -> Detections:
    """One picture's raw outputs -> detections in pixels of the original picture, best first.

    ``input_size`` and ``original_size`` are (height, width); ``scale`` is what ``prepare`` returned.
    """
    logits = _margin(raw["scores"], rule.activation)
    rows = np.flatnonzero(logits > _cut(rule.score_threshold, rule.activation))
    if len(rows) > rule.max_candidates:
        rows = rows[np.argpartition(-logits[rows], rule.max_candidates)[: rule.max_candidates]]
    priors = prior_boxes(*input_size, rule.priors)
    if len(priors) != len(logits):
        raise ValueError(f"scores: expected {len(priors)} rows for a {input_size} input, got {len(logits)}")
    priors = priors[rows]
    boxes = decode_boxes(raw["boxes"][rows], priors, rule.variances) / np.tile(scale, 2)
    scores = logits[rows].astype(np.float64)
    if rule.activation != "none":
        scores = 1 / (1 + np.exp(-scores))
    height, width = original_size
    boxes = clip(boxes, width, height)
    kept = nms(boxes, scores, rule.nms_iou, rule.max_detections)
    landmarks = None
    if "landmarks" in raw:
        landmarks = decode_landmarks(raw["landmarks"][rows[kept]], priors[kept], rule.variances) / scale
    return Detections(boxes[kept], scores[kept], None, names, landmarks)
