"""What finds objects in one picture at one size: the seam between bundles, other people's detectors and their users.

In: ``(H, W, 3)`` uint8 RGB. Out: ``Detections`` in pixels of that picture, best first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from ligera.deploy.bundle import BundleCard
from ligera.deploy.runtimes import Runtime
from ligera.errors import ModelError
from ligera.models.decode import decode
from ligera.models.preprocess import prepare
from ligera.models.priors import prior_count
from ligera.records import Detections, Preprocess

__all__ = ["DEFAULT_MAX_SIDE_PX", "BundleEngine", "Engine", "check_finite", "limited"]

# Bounds time and memory on pictures straight from a camera; smaller faces in them are found by tiles.
DEFAULT_MAX_SIDE_PX = 1280


class Engine(Protocol):
    """One detector. ``runtime`` runs its network, and is ``None`` where it has none that Ligera can see."""

    name: str
    runtime: Runtime | None

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        """Detections of ``score`` or better, sought at ``max_side`` px at most; ``None`` leaves it to the model."""
        ...

    def close(self) -> None: ...


def limited(rule: Preprocess, max_side: int | None) -> Preprocess:
    """``rule`` with the long side at most ``max_side`` px, or at most 1280 where neither says anything."""
    side = max_side or rule.max_side or DEFAULT_MAX_SIDE_PX
    min_side = None if rule.min_side is None else min(rule.min_side, side)
    return replace(rule, max_side=side, min_side=min_side)


def check_finite(found: Detections) -> None:
    """Raise ``ValueError`` for coordinates or scores that are no numbers, which JSON could not say."""
    for name in ("boxes", "scores", "landmarks"):
        values = getattr(found, name)
        if values is not None and not np.isfinite(values).all():
            raise ValueError(f"{name}: expected finite numbers")


class BundleEngine:
    """A bundle's network in a runtime, fed and read as its card says."""

    def __init__(self, runtime: Runtime, card: BundleCard) -> None:
        self.runtime = runtime
        self.card = card
        self.name = card.name

    def detect(self, pixels: np.ndarray, *, score: float | None = None, max_side: int | None = None) -> Detections:
        batch, scale = prepare(pixels, limited(self.card.preprocess, max_side))
        size = batch.shape[2:4] if self.card.preprocess.layout == "nchw" else batch.shape[1:3]
        outputs = self.runtime.run(batch)
        rule = self.card.decoding if score is None else replace(self.card.decoding, score_threshold=score)
        try:
            raw = _raw(outputs, prior_count(size, rule.priors))
            # whatever overflows shows as a box that is not finite
            with np.errstate(all="ignore"):
                found = decode(
                    raw, rule, input_size=size, scale=scale, original_size=pixels.shape[:2], names=self.card.labels
                )
            check_finite(found)
        except (ValueError, IndexError) as error:
            raise ModelError(f"{self.name}: outputs are not what its card says ({error}); export it again") from None
        return found

    def close(self) -> None:
        self.runtime.close()


def _raw(outputs: Mapping[str, np.ndarray], rows: int) -> dict[str, np.ndarray]:
    """Boxes, scores and landmarks of the one picture, as many rows each as there are priors; ``ValueError`` if not.

    Checked before any prior is made, as a card that lies can ask for more of them than there is memory.
    """
    raw = {}
    for name, columns in (("boxes", 4), ("scores", None), ("landmarks", 10)):
        values = outputs.get(name)
        if values is None and name == "landmarks":
            continue
        shape = getattr(values, "shape", ())
        if len(shape) != 3 or shape[:2] != (1, rows) or shape[2] != (columns or shape[2]) or values.dtype.kind != "f":
            got = "none" if values is None else f"{getattr(values, 'dtype', type(values).__name__)} {shape}"
            raise ValueError(f"{name}: expected floats (1, {rows}, {columns or 'K'}), got {got}")
        raw[name] = values[0]
    return raw
