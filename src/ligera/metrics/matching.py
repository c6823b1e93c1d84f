"""Which detection found which face: greedy by score, each face found once.

In: :class:`Detections` and face boxes ``(G, 4)`` ``x1 y1 x2 y2`` px of one picture. Out: for each detection the number
of its face. The order of choice is COCO's: the best score first, which takes the free face it overlaps most.
"""

from __future__ import annotations

import numpy as np

from ligera.boxes import iou
from ligera.records import Detections

__all__ = ["match"]


def match(
    found: Detections, faces: np.ndarray, iou_threshold: float = 0.5, wanted: np.ndarray | None = None
) -> np.ndarray:
    """The face of each detection, ``(N,)`` int64, or -1; an IoU of ``iou_threshold`` is enough.

    Where ``wanted`` ``(G,)`` bool is given, a detection takes a face outside it only when no free one inside will do.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold: expected above 0 and at most 1, got {iou_threshold}")
    mine = np.full(len(found), -1)
    if not len(found) or not len(faces):
        return mine
    overlaps = iou(found.boxes.astype(np.float64), faces.astype(np.float64))
    overlaps[overlaps < iou_threshold] = 0
    # An IoU is at most 1, so one more puts every wanted face before every other.
    worth = np.where(overlaps > 0, overlaps + (0 if wanted is None else wanted), 0)
    for row in np.argsort(-found.scores, kind="stable"):
        face = int(worth[row].argmax())
        if worth[row, face] > 0:
            mine[row] = face
            worth[:, face] = 0
    return mine
