"""Class logits and offsets of proposals -> the regions of a page, one class each.

In: proposals ``(P, 4)``, logits ``(P, K + 1)`` with background first, offsets ``(P, K + 1, 4)``. Out: boxes
``(N, 4)`` px of the network's input, scores ``(N,)`` and labels ``(N,)`` from 0 on, best first.
"""

from __future__ import annotations

import numpy as np

from ligera.boxes import clip, nms
from ligera.deploy.layout.box_coding import decode_offsets, wide_enough
from ligera.models.layout_specs import RegionDecoding

__all__ = ["decide_regions"]

OFFSET_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
LEAST_SIDE_PX = 1e-2


def decide_regions(
    proposals: np.ndarray,
    logits: np.ndarray,
    offsets: np.ndarray,
    rule: RegionDecoding,
    *,
    page_size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and labels; a proposal may become a region of several classes. ``page_size`` is (height, width)."""
    classes = logits.shape[1] - 1
    powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    scores = (powers / powers.sum(axis=1, keepdims=True))[:, 1:]
    found = []
    for label in range(classes):
        rows = np.flatnonzero(scores[:, label] > rule.score_threshold)
        decoded = decode_offsets(offsets[rows, label + 1], proposals[rows], OFFSET_WEIGHTS)
        boxes = clip(decoded, page_size[1], page_size[0])
        solid = wide_enough(boxes, LEAST_SIDE_PX)
        boxes, sure = boxes[solid], scores[rows[solid], label]
        kept = nms(boxes, sure, rule.nms_iou, rule.max_detections)
        found.append((boxes[kept], sure[kept], np.full(len(kept), label, np.int64)))
    boxes, sure, labels = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(-sure, kind="stable")[: rule.max_detections]
    return boxes[order], sure[order], labels[order]
