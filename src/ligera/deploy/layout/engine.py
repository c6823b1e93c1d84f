"""The layout detector that runs without torch: a page -> regions with boxes, classes, scores and outlines.

In: ``(H, W, 3)`` uint8 RGB. Out: ``Detections`` in px of that picture, best first, each with its polygons (none where
the network drew an empty mask). A bundle of a layout detector is told from others by the key ``ligera.layout`` of its
metadata, which holds its ``RegionDecoding`` as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ligera.deploy.bundle import BundleCard, record_from_metadata
from ligera.deploy.engine import check_finite, limited
from ligera.deploy.layout.align import align
from ligera.deploy.layout.joining import LEVELS, MASKS, OFFSETS, SCORES
from ligera.deploy.layout.masks import mask_polygons
from ligera.deploy.layout.proposals import propose
from ligera.deploy.layout.regions import decide_regions
from ligera.deploy.runtimes import Runtime
from ligera.errors import ModelError
from ligera.models.anchors import anchor_counts
from ligera.models.layout_specs import LEVEL_STRIDES, RegionDecoding
from ligera.models.preprocess import input_size, prepare
from ligera.records import Detections

__all__ = ["LAYOUT_KEY", "LayoutEngine", "Regions", "layout_from_metadata"]

LAYOUT_KEY = "ligera.layout"


def layout_from_metadata(metadata: Mapping[str, str], where: str) -> RegionDecoding | None:
    """How a layout detector's outputs decode, ``None`` for any other bundle; ``ModelError`` for a damaged one."""
    return record_from_metadata(RegionDecoding, metadata, LAYOUT_KEY, where, "layout metadata")


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions of one page before their masks are pasted, best first.

    ``boxes`` (N, 4) px of the page, ``scores`` (N,), ``labels`` (N,) from 0 on, ``masks`` (N, M, M) probabilities over
    each box.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: np.ndarray


class LayoutEngine:
    """A layout detector's networks, fed and read as its card and its ``rule`` say. Not for several threads at once."""

    def __init__(self, runtime: Runtime, card: BundleCard, rule: RegionDecoding) -> None:
        self.runtime = runtime
        self.card = card
        self.rule = rule
        self.name = card.name

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        """Regions that score above ``score``, sought at ``max_side`` px at most; ``None`` leaves it to the bundle.

        Raises ``ModelError`` where the networks don't answer as the bundle says.
        """
        try:
            # whatever overflows shows as a box that is not finite
            with np.errstate(all="ignore"):
                found = self.regions(pixels, score=score, max_side=max_side)
                boxes = Detections(found.boxes, found.scores, found.labels, self.card.labels)
                check_finite(boxes)
                size = pixels.shape[:2]
                outlines = tuple(mask_polygons(m, b, size) for m, b in zip(found.masks, found.boxes, strict=True))
        except (ValueError, IndexError) as error:
            raise ModelError(f"{self.name}: outputs are not what its card says ({error}); export it again") from None
        return replace(boxes, polygons=outlines)

    def regions(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Regions:
        """The same regions with the masks as the network drew them; ``ValueError`` for outputs of a wrong shape."""
        preprocess = limited(self.card.preprocess, max_side)
        rule = self.rule if score is None else replace(self.rule, score_threshold=score)
        height, width = pixels.shape[:2]
        page_size = input_size(height, width, preprocess)
        batch, _ = prepare(pixels, preprocess)
        padded = batch.shape[2], batch.shape[3]
        maps, logits, offsets = self._look(batch, padded)
        proposals = propose(logits, offsets, rule, padded_size=padded, page_size=page_size)
        boxes, scores, labels = self._decide(maps, proposals, rule, page_size)
        masks = self._draw(maps, boxes, labels)
        # ratios in float32, as torchvision scales boxes back
        ratios = np.array([width, height] * 2, np.float32) / np.array(page_size[::-1] * 2, np.float32)
        return Regions(boxes * ratios, scores, labels, masks)

    def _look(self, batch: np.ndarray, size: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Maps ``(H, W, C)``, objectness ``(N,)`` and offsets ``(N, 4)`` of a page, checked before anchors are made."""
        outputs = self.runtime.run(batch)
        anchors = sum(anchor_counts(*size, self.rule.anchors))
        channels = outputs[LEVELS[0]].shape[-1] if LEVELS[0] in outputs else 0
        sides = [(-(-size[0] // stride), -(-size[1] // stride)) for stride in LEVEL_STRIDES]
        maps = [_checked(outputs, name, (1, *s, channels))[0] for name, s in zip(LEVELS, sides, strict=True)]
        return maps, _checked(outputs, SCORES, (1, anchors))[0], _checked(outputs, OFFSETS, (1, anchors, 4))[0]

    def _decide(
        self, maps: list[np.ndarray], proposals: np.ndarray, rule: RegionDecoding, page_size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count, columns = len(proposals), len(self.card.labels) + 1
        logits, offsets = np.zeros((0, columns), np.float32), np.zeros((0, columns, 4), np.float32)
        if count:
            outputs = self.runtime.run(
                align(maps, proposals, rule.box_pool, samples=rule.samples, canonical_px=rule.canonical_px)
            )
            logits = _checked(outputs, SCORES, (count, columns))
            offsets = _checked(outputs, OFFSETS, (count, columns, 4))
        return decide_regions(proposals, logits, offsets, rule, page_size=page_size)

    def _draw(self, maps: list[np.ndarray], boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        rule, side = self.rule, 2 * self.rule.mask_pool
        if not len(boxes):
            return np.zeros((0, side, side), np.float32)
        pooled = align(maps, boxes, rule.mask_pool, samples=rule.samples, canonical_px=rule.canonical_px)
        masks = _checked(self.runtime.run(pooled), MASKS, (len(boxes), len(self.card.labels), side, side))
        return masks[np.arange(len(boxes)), labels]

    def close(self) -> None:
        """Free the networks; the engine cannot run afterwards."""
        self.runtime.close()


def _checked(outputs: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = outputs.get(name)
    if values is None or values.shape != shape or values.dtype != np.float32:
        got = "none" if values is None else f"{values.dtype} {values.shape}"
        raise ValueError(f"{name}: expected float32 {shape}, got {got}")
    return values
