"""The square around a face that recognition looks at, and how a bundle says so.

In: a picture ``(H, W, 3)`` uint8 RGB and a face detector. Out: ``(side, side, 3)`` uint8 RGB with the face in the
middle, upright by its landmarks where the detector finds any, the picture's edge repeated where the square leaves it.
A recogniser's bundle holds a :class:`FaceRule` as JSON in the key ``ligera.face`` of its metadata, so that its pictures
are squared as those it learnt from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from ligera.boxes import area
from ligera.deploy.detector import Detector
from ligera.deploy.enrolling.alignment import pose_of, resampled, upright_square
from ligera.errors import ModelError
from ligera.records import Detections

__all__ = [
    "FACE_KEY",
    "FaceRule",
    "FaceSquares",
    "face_rule_from_metadata",
    "face_square",
    "main_face",
    "square_around",
    "squares_from_metadata",
]

FACE_KEY = "ligera.face"
# A face nearer to the middle is the sitter's, unless another is this much larger.
FAR_LARGER = 2.0


@dataclass(frozen=True, slots=True)
class FaceRule:
    """``detector`` finds faces; the square's side is ``margin`` times the longer side of the face's box.

    ``alignment`` says whether the square is the ``box``'s or is turned and sized by the face's ``landmarks``.
    ``thresholds`` are those already taken off the persons' logits, ``far`` the share of strangers they let pass on
    validation, ``base`` what the features come from.
    """

    detector: str = "face"
    margin: float = 1.3
    thresholds: tuple[float, ...] = ()
    far: float = 0.01
    base: str = ""
    # bundles made before there was a choice say nothing
    alignment: Literal["box", "landmarks"] = "box"

    def __post_init__(self) -> None:
        if self.alignment not in ("box", "landmarks"):
            raise ValueError(f"alignment: expected box or landmarks, got {self.alignment!r}")
        if not 0.5 <= self.margin <= 4:
            raise ValueError(f"margin: expected 0.5 to 4, got {self.margin}")


def face_rule_from_metadata(metadata: Mapping[str, str], where: str) -> FaceRule | None:
    """The rule in a bundle's metadata, ``None`` for one that is no recogniser's; ``ModelError`` for a damaged one."""
    text = metadata.get(FACE_KEY)
    if text is None:
        return None
    try:
        values = json.loads(text)
        known = {field.name for field in fields(FaceRule)}
        chosen = {name: value for name, value in values.items() if name in known}
        if not isinstance(chosen.get("detector", ""), str):
            raise TypeError("detector: expected a name")
        return FaceRule(**chosen | {"thresholds": tuple(chosen.get("thresholds", ()))})
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{where}: its face metadata is damaged ({error}); enroll again") from None


def main_face(found: Detections, height: int, width: int) -> int:
    """Row of the face that a portrait is of: the one nearest the middle, or one that is twice as large."""
    sizes = area(found.boxes)
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    nearest = int(np.hypot(centres[:, 0] - width / 2, centres[:, 1] - height / 2).argmin())
    largest = int(sizes.argmax())
    return largest if sizes[largest] > FAR_LARGER * sizes[nearest] else nearest


def square_around(pixels: np.ndarray, box: np.ndarray, side_px: int, margin: float) -> np.ndarray:
    """The square around ``box`` (x1 y1 x2 y2, px) as ``(side_px, side_px, 3)``, averaged where it shrinks."""
    side = max(2, round(margin * float(max(box[2] - box[0], box[3] - box[1]))))
    left = round(float(box[0] + box[2]) / 2 - side / 2)
    top = round(float(box[1] + box[3]) / 2 - side / 2)
    return resampled(pixels, left, top, side, side_px)


def face_square(
    pixels: np.ndarray, box: np.ndarray, landmarks: np.ndarray | None, side_px: int, rule: FaceRule
) -> np.ndarray:
    """The square of a face as ``rule`` asks for: ``box`` x1 y1 x2 y2 and ``landmarks (5, 2)`` in px of ``pixels``.

    Without landmarks, or with some that do not fit the box, it is the square around the box, as large.
    """
    pose = pose_of(box, landmarks) if rule.alignment == "landmarks" else None
    if pose is None:
        return square_around(pixels, box, side_px, rule.margin)
    return upright_square(pixels, pose, side_px, rule.margin)


class FaceSquares:
    """Finds the main face of a picture and cuts its square; not for several threads at once."""

    def __init__(self, detector: Detector, side_px: int, rule: FaceRule) -> None:
        self._detector, self._side_px, self._rule = detector, side_px, rule

    @property
    def key(self) -> str:
        """What tells its squares from those of others: the rule, their side and the detector's network."""
        card = getattr(self._detector.engine, "card", None)
        network = self._detector.name if card is None else card.graph_sha256
        return repr((self._rule, self._side_px, network))

    def cut(self, pixels: np.ndarray) -> np.ndarray | None:
        """The square around the main face of ``pixels``, ``None`` where no face is found."""
        found = self._detector.detect(pixels)
        if not len(found):
            return None
        row = main_face(found, *pixels.shape[:2])
        landmarks = None if found.landmarks is None else found.landmarks[row]
        return face_square(pixels, found.boxes[row], landmarks, self._side_px, self._rule)

    def close(self) -> None:
        """Free the detector."""
        self._detector.close()


def squares_from_metadata(
    metadata: Mapping[str, str], where: str, side_px: int, *, threads: int | None = None
) -> FaceSquares | None:
    """What squares pictures for a recogniser's bundle, its detector loaded; ``None`` for any other bundle.

    Raises ``ModelError`` for damaged metadata or a detector that is not here.
    """
    rule = face_rule_from_metadata(metadata, where)
    if rule is None:
        return None
    try:
        detector = Detector.load(rule.detector, threads=threads)
    except ModelError as error:
        raise ModelError(f"{where}: needs its face detector ({error})") from None
    return FaceSquares(detector, side_px, rule)
