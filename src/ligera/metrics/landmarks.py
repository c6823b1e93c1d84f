"""Landmark error: how far detected points lie from the annotated ones, in distances between the eyes.

In: pairs of :class:`Detections` with landmarks and :class:`Targets`, one for each picture, points ``(N, 5, 2)`` px.
Out: :class:`LandmarkResult`. Counted are faces whose five points are all known and whose eyes lie apart; each is
measured on the detection that overlaps its box most, if their IoU reaches the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ligera.boxes import iou
from ligera.records import Detections, Targets

__all__ = ["LandmarkResult", "landmark_error"]


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkResult:
    """``nme``: mean of ``errors`` ``(matched,)``, each face's mean point distance over the distance between its eyes.

    ``matched_share`` is ``matched / faces``; both means are NaN where there is nothing to take them of.
    """

    nme: float
    matched_share: float
    faces: int
    matched: int
    errors: np.ndarray
    protocol: str


def landmark_error(pairs: Iterable[tuple[Detections, Targets]], iou_threshold: float = 0.5) -> LandmarkResult:
    """NME over all pictures; raises ``ValueError`` for detections without landmarks."""
    faces = 0
    parts = [np.zeros(0)]
    for found, targets in pairs:
        if len(found) and found.landmarks is None:
            raise ValueError("landmarks: expected (N, 5, 2) with the detections, got none")
        counted = _counted(targets)
        faces += int(counted.sum())
        if len(found) and counted.any():
            parts.append(_errors(found, targets.boxes[counted], targets.landmarks[counted], iou_threshold))
    errors = np.concatenate(parts)
    matched = len(errors)
    protocol = f"NME over the distance between the eyes, detections with IoU >= {iou_threshold:g}"
    nme = float(errors.mean()) if matched else float("nan")
    return LandmarkResult(nme, matched / faces if faces else float("nan"), faces, matched, errors, protocol)


def _counted(targets: Targets) -> np.ndarray:
    known = np.isfinite(targets.landmarks).all(axis=(1, 2))
    return known & (_eye_distance(targets.landmarks) > 0)


def _eye_distance(landmarks: np.ndarray) -> np.ndarray:
    return np.linalg.norm((landmarks[:, 0] - landmarks[:, 1]).astype(np.float64), axis=1)


def _errors(found: Detections, boxes: np.ndarray, landmarks: np.ndarray, iou_threshold: float) -> np.ndarray:
    overlaps = iou(boxes.astype(np.float64), found.boxes.astype(np.float64))
    best = overlaps.argmax(axis=1)
    points = found.landmarks[best].astype(np.float64)
    # A detection that leaves a point open has not found the landmarks of this face.
    reached = (overlaps.max(axis=1) >= iou_threshold) & np.isfinite(points).all(axis=(1, 2))
    distances = np.linalg.norm(points - landmarks, axis=2).mean(axis=1)
    return (distances / _eye_distance(landmarks))[reached]
