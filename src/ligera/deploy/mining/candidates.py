"""One picture -> its candidates: squares with a kind, an IoU and a score. What a mining worker finds out.

In: pixels and targets. Out: :class:`Candidates`, bounded in number. At stage 12 they are random windows, later the
proposals of the networks before, squared as the next network would see them. Boxes are ``x1 y1 x2 y2`` px of the
original picture, ends excluded.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from ligera.data.crops import KINDS
from ligera.deploy.engine import check_finite, limited
from ligera.deploy.mining.keys import keys_of, smallest
from ligera.deploy.mining.labelling import LANDMARK, NO_KIND, Labels, label, split_tiny
from ligera.deploy.mining.networks import OpenedCascade
from ligera.deploy.mining.settings import MineSettings
from ligera.deploy.mining.windows import windows_about, windows_anywhere, windows_near
from ligera.errors import ModelError
from ligera.models.cascade import corners, squares
from ligera.models.preprocess import input_size
from ligera.records import Preprocess, Targets

__all__ = ["Candidates", "cut_corners", "find_candidates", "shown", "shown_size"]

WINDOWS_PURPOSE, CAP_PURPOSE = 1, 2
# Of the windows tried about a face, one in so many is of any size.
FEW_ABOUT = 5


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """``boxes`` (N, 4) float32 px, ``scores`` (N,) float32 (NaN for a random window), ``kinds`` (N,) int8, ``ious``
    (N,) float32 and ``faces`` (N,) int32, the row of the nearest face in the picture's targets, -1 for none."""

    boxes: np.ndarray
    scores: np.ndarray
    kinds: np.ndarray
    ious: np.ndarray
    faces: np.ndarray

    def __len__(self) -> int:
        return len(self.kinds)

    def take(self, rows: Any) -> Candidates:
        return Candidates(*(getattr(self, field.name)[rows] for field in fields(self)))


def shown_size(height: int, width: int, settings: MineSettings, rule: Preprocess | None) -> tuple[int, int]:
    """Height and width at which a picture is searched and cut: its own, or what the model and settings allow."""
    return input_size(height, width, limited(rule or Preprocess(multiple=1), settings.max_side_px))


def shown(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``pixels`` at ``size`` (height, width)."""
    if pixels.shape[:2] == size:
        return pixels
    shrinks = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def find_candidates(
    pixels: np.ndarray, targets: Targets, name: str, settings: MineSettings, opened: OpenedCascade | None
) -> tuple[Candidates, Candidates]:
    """All labelled candidates of the picture called ``name``, and those of them that it may give to the result.

    Raises ``ModelError`` where the networks answer nonsense.
    """
    size = shown_size(*pixels.shape[:2], settings, opened.preprocess if opened else None)
    pixels_shown = shown(pixels, size)
    scale = np.array([size[1] / pixels.shape[1], size[0] / pixels.shape[0]] * 2, np.float32)
    scaled = Targets(targets.boxes * scale, None, targets.landmarks * scale[:2], targets.ignore * scale)
    generator = np.random.Generator(np.random.PCG64(keys_of(settings.seed, name, WINDOWS_PURPOSE, 2).tolist()))
    if opened is None:
        boxes = _random_windows(scaled, size, settings, generator)
        scores = np.full(len(boxes), np.nan, np.float32)
    else:
        boxes, scores = _proposals(pixels_shown, opened)
    labels = label(boxes, scaled, settings)
    found = Candidates(boxes, scores, labels.kinds, labels.ious, labels.faces)
    found = _joined(found, _landmark_windows(scaled, size, settings, generator))
    found = replace(found, boxes=found.boxes / scale)
    found = found.take(found.kinds != NO_KIND)
    return found, found.take(_capped(found.kinds, name, settings))


def cut_corners(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """What a network sees of ``boxes``: whole px within the picture, ``(N, 4)`` int64, as ``models.cascade`` cuts."""
    return corners(boxes + np.array([1, 1, 0, 0], np.float32), height, width)


def _random_windows(
    targets: Targets, size: tuple[int, int], settings: MineSettings, generator: np.random.Generator
) -> np.ndarray:
    faces = targets.boxes[split_tiny(targets, settings.least_face_px or 0)[0]]
    about = max(1, settings.around_face // FEW_ABOUT)
    near = windows_near(faces, size, max(1, settings.around_face - about), generator)
    anywhere = windows_anywhere(size, settings.least_face_px or 0, settings.in_picture, generator)
    return np.concatenate([near, windows_about(faces, size, about, generator), anywhere])


def _proposals(pixels: np.ndarray, opened: OpenedCascade) -> tuple[np.ndarray, np.ndarray]:
    """Squares and scores of what the networks leave; what lies outside the picture is nothing to be seen."""
    try:
        # whatever overflows shows as a box that is not finite
        with np.errstate(all="ignore"):
            (found,) = opened.cascade.find([pixels])
        check_finite(found)
    except ValueError as error:
        raise ModelError(f"its outputs are not those of a cascade ({error}); export it again") from None
    boxes = squares(found.boxes)
    cut = corners(boxes, *pixels.shape[:2])
    inside = (cut[:, 2:] > cut[:, :2]).all(axis=1)
    # the cascade counts pixels from 1 and includes the last
    return (boxes - np.array([1, 1, 0, 0], np.float32))[inside], found.scores[inside]


def _landmark_windows(
    targets: Targets, size: tuple[int, int], settings: MineSettings, generator: np.random.Generator
) -> Candidates:
    """Windows about faces all of whose points are known; none where the ratio has no share for them."""
    rows = split_tiny(targets, settings.least_face_px or 0)[0]
    rows = rows[np.isfinite(targets.landmarks[rows]).all(axis=(1, 2))]
    boxes = np.zeros((0, 4), np.float32)
    if settings.shares[LANDMARK] and len(rows):
        boxes = windows_near(targets.boxes[rows], size, settings.around_face, generator)
    near = label(boxes, Targets(targets.boxes, ignore=targets.ignore), settings)
    kinds = np.where((near.ious >= settings.landmark_iou) & np.isin(near.faces, rows), LANDMARK, NO_KIND)
    return _unscored(boxes, Labels(kinds.astype(np.int8), near.ious, near.faces))


def _unscored(boxes: np.ndarray, labels: Labels) -> Candidates:
    return Candidates(boxes, np.full(len(boxes), np.nan, np.float32), labels.kinds, labels.ious, labels.faces)


def _joined(first: Candidates, second: Candidates) -> Candidates:
    pairs = ((getattr(first, field.name), getattr(second, field.name)) for field in fields(Candidates))
    return Candidates(*(np.concatenate(pair) for pair in pairs))


def _capped(kinds: np.ndarray, name: str, settings: MineSettings) -> np.ndarray:
    """Rows of at most ``per_picture`` candidates of each kind, by keys; kind by kind."""
    keys = keys_of(settings.seed, name, CAP_PURPOSE, len(kinds))
    rows = []
    for kind in range(len(KINDS)):
        own = np.flatnonzero(kinds == kind)
        rows.append(own[smallest(keys[own], settings.per_picture)])
    return np.concatenate(rows)
