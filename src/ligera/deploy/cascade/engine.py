"""A bundle of MTCNN as a detector like any other: ``Detections`` within the picture, best first.

``opening.open_engine`` tells such a bundle from others by the key ``ligera.cascade`` of its metadata, which holds a
``CascadeRule`` as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ligera.boxes import clip
from ligera.deploy.bundle import BundleCard, record_from_metadata
from ligera.deploy.cascade.stages import Cascade
from ligera.deploy.engine import check_finite, limited
from ligera.deploy.runtimes import Runtime
from ligera.errors import ModelError
from ligera.models.cascade import CascadeRule
from ligera.models.preprocess import input_size
from ligera.records import Detections

__all__ = ["CASCADE_KEY", "CascadeEngine", "rule_from_metadata"]

CASCADE_KEY = "ligera.cascade"


def rule_from_metadata(metadata: Mapping[str, str], where: str) -> CascadeRule | None:
    """The rule of a cascade's bundle, ``None`` for any other; ``ModelError`` for a damaged one."""
    return record_from_metadata(CascadeRule, metadata, CASCADE_KEY, where, "cascade metadata")


class CascadeEngine:
    """The networks of a cascade's bundle, run as its rule says. ``stages`` below 3 end with proposals."""

    def __init__(self, runtime: Runtime, card: BundleCard, rule: CascadeRule) -> None:
        self.runtime = runtime
        self.card = card
        self.rule = rule
        self.name = card.name

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        return self.detect_many([pixels], score=score, max_side=max_side)[0]

    def detect_many(
        self, pictures: Sequence[np.ndarray], *, score: float | None = None, max_side: int | None = None
    ) -> list[Detections]:
        """``detect`` for pictures of any sizes, which share the networks' runs.

        ``score`` is the last network's least; the others' stay those of the rule. Raises ``ModelError`` for networks
        that answer something else than they should.
        """
        shown = [self._limited(pixels, max_side) for pixels in pictures]
        try:
            # whatever overflows shows as a box that is not finite
            with np.errstate(all="ignore"):
                found = Cascade(self.runtime, self.rule).find(shown, score=score)
                found = [self._placed(*each) for each in zip(found, shown, pictures, strict=True)]
            for one in found:
                check_finite(one)
        except ValueError as error:
            raise ModelError(f"{self.name}: outputs are not those of a cascade ({error}); export it again") from None
        return found

    def _limited(self, pixels: np.ndarray, max_side: int | None) -> np.ndarray:
        height, width = pixels.shape[:2]
        size = input_size(height, width, limited(self.card.preprocess, max_side))
        if size == (height, width):
            return pixels
        shrinks = size[0] * size[1] < height * width
        return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def _placed(self, found: Detections, shown: np.ndarray, picture: np.ndarray) -> Detections:
        """Detections of ``shown`` in pixels of the ``picture`` it was made from, boxes cut to it."""
        height, width = picture.shape[:2]
        scale = np.array([shown.shape[1] / width, shown.shape[0] / height], np.float32)
        shift_px = self.rule.first_corner_shift_px
        boxes = clip((found.boxes - np.float32([shift_px, shift_px, 0, 0])) / np.tile(scale, 2), width, height)
        points = None if found.landmarks is None else found.landmarks / scale
        return Detections(boxes, found.scores, None, self.card.labels, points)

    def close(self) -> None:
        self.runtime.close()
