"""The square around a face that recognition looks at, and how a bundle says so.

In: a picture ``(H, W, 3)`` uint8 RGB and a face detector. Out: ``(side, side, 3)`` uint8 RGB with the face in the
middle, the picture's edge repeated where the square leaves it. A recogniser's bundle holds a :class:`FaceRule` as JSON
in the key ``ligera.face`` of its metadata, so that its pictures are squared as those it learnt from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

import cv2
import numpy as np

from ligera.boxes import area
from ligera.deploy.detector import Detector
from ligera.errors import ModelError
from ligera.records import Detections

__all__ = [
    "FACE_KEY",
    "FaceRule",
    "FaceSquares",
    "face_rule_from_metadata",
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

    ``thresholds`` are those already taken off the persons' logits, ``far`` the share of strangers they let pass on
    validation, ``base`` what the features come from.
    """

    detector: str = "face"
    margin: float = 1.3
    thresholds: tuple[float, ...] = ()
    far: float = 0.01
    base: str = ""

    def __post_init__(self) -> None:
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
    height, width = pixels.shape[:2]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    square = pixels[rows[:, None], columns[None]]
    how = cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR
    return cv2.resize(square, (side_px, side_px), interpolation=how)


class FaceSquares:
    """Finds the main face of a picture and cuts its square; not for several threads at once."""

    def __init__(self, detector: Detector, side_px: int, margin: float) -> None:
        self._detector, self._side_px, self._margin = detector, side_px, margin

    def cut(self, pixels: np.ndarray) -> np.ndarray | None:
        """The square around the main face of ``pixels``, ``None`` where no face is found."""
        found = self._detector.detect(pixels)
        if not len(found):
            return None
        row = main_face(found, *pixels.shape[:2])
        return square_around(pixels, found.boxes[row], self._side_px, self._margin)

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
    return FaceSquares(detector, side_px, rule.margin)
