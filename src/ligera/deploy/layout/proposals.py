"""Objectness and offsets of all anchors -> the boxes worth a closer look (region proposals, Ren et al. 2015).

In: logits ``(N,)`` and offsets ``(N, 4)`` of one page, a row per anchor in the order of ``models.anchors``. Out: boxes
``(P, 4)`` float32 px of the network's input, best first.
"""

from __future__ import annotations

import numpy as np

from ligera.boxes import clip, nms
from ligera.deploy.layout.box_coding import decode_offsets, wide_enough
from ligera.models.anchors import anchor_boxes, anchor_counts
from ligera.models.layout_specs import RegionDecoding

__all__ = ["propose"]

LEAST_SIDE_PX = 1e-3


def propose(
    logits: np.ndarray,
    offsets: np.ndarray,
    rule: RegionDecoding,
    *,
    padded_size: tuple[int, int],
    page_size: tuple[int, int],
) -> np.ndarray:
    """Proposals of one page; sizes are (height, width) in px with and without the padding that anchors also cover."""
    counts = anchor_counts(*padded_size, rule.anchors)
    if logits.shape != (sum(counts),) or offsets.shape != (sum(counts), 4):
        raise ValueError(
            f"expected a row for each of {sum(counts)} anchors, got logits {logits.shape} and offsets {offsets.shape}"
        )
    anchors = anchor_boxes(*padded_size, rule.anchors)
    kept_boxes, kept_logits, start = [], [], 0
    for count in counts:
        rows = start + _best(logits[start : start + count], rule.candidates)
        boxes = clip(decode_offsets(offsets[rows], anchors[rows]), page_size[1], page_size[0])
        solid = wide_enough(boxes, LEAST_SIDE_PX)
        boxes, scores = boxes[solid], logits[rows[solid]]
        # levels don't suppress each other; no level can place more than all of them may
        survivors = nms(boxes, scores, rule.proposal_iou, rule.proposals)
        kept_boxes.append(boxes[survivors])
        kept_logits.append(scores[survivors])
        start += count
    order = np.argsort(-np.concatenate(kept_logits), kind="stable")[: rule.proposals]
    return np.concatenate(kept_boxes)[order]


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """Places of the ``count`` highest scores, best first."""
    if len(scores) > count:
        chosen = np.argpartition(-scores, count - 1)[:count]
        return chosen[np.argsort(-scores[chosen], kind="stable")]
    return np.argsort(-scores, kind="stable")
