"""The detector that users hold: any model, any picture, ``Detections`` back.

    Detector.load("face-small").detect("photo.jpg")

Models are built-in names, bundle files, or ``KIND:FILE`` for detectors that others made (see ``peers``).
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from ligera.data.pictures import read_picture
from ligera.deploy.bundle import Task
from ligera.deploy.engine import DEFAULT_MAX_SIDE_PX, Engine
from ligera.deploy.opening import open_bundle, open_engine
from ligera.deploy.peers import open_peer, split_peer
from ligera.deploy.tiling import detect_tiled
from ligera.errors import UsageError
from ligera.records import Detections, Picture

__all__ = ["Detector"]

SMALLEST_SIDE_PX = 32


class Detector:
    """Finds objects in pictures with one engine. Not for several threads at once; load one for each."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def load(cls, model: str | Path, *, threads: int | None = None, runtime: str = "onnxruntime") -> Detector:
        """The detector ``model``: a built-in name, the path of a bundle, or ``KIND:FILE`` of another maker's.

        ``threads`` is how many a network may use, by default as many as there are cores, at most 4. Raises
        ``ModelError`` for an unknown name or a file that is no such model, a classifier for instance, ``UsageError``
        for an unknown runtime.
        """
        peer = split_peer(str(model))
        if peer is not None:
            return cls(open_peer(*peer, threads=threads))
        opened = open_bundle(model, threads=threads, runtime=runtime)
        opened.expect(model, "detect-faces", "detect-regions")
        return cls(open_engine(opened.runtime, opened.card))

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def task(self) -> Task:
        """What it finds: faces, as all detectors of others do, or the regions of pages."""
        card = getattr(self.engine, "card", None)
        return "detect-faces" if card is None else card.task

    def detect(
        self,
        source: np.ndarray | str | Path | Picture,
        *,
        score: float | None = None,
        max_side: int | None = None,
        tile: int | None = None,
    ) -> Detections:
        """What is in one picture, in its own pixels, best first.

        ``source`` is ``(H, W, 3)`` uint8 RGB, a file or a ``Picture``. ``score`` (0 to 1) is the least to report.
        ``max_side`` bounds the long side at which is searched, in px; without it, 1280 or what the model says.
        ``tile`` also searches overlapping tiles of that many px at full size, for small objects in large pictures.

        Raises ``PictureError`` for a file that is no picture, ``UsageError`` for an option out of range and
        ``ValueError`` for an array of another shape or type.
        """
        self.check_options(score=score, max_side=max_side, tile=tile)
        if isinstance(source, str | Path):
            source = read_picture(source)
        pixels = source.pixels if isinstance(source, Picture) else Picture(source).pixels
        if tile is None:
            return self.engine.detect(pixels, score=score, max_side=max_side)
        return detect_tiled(
            pixels,
            tile,
            whole=lambda picture: self.engine.detect(picture, score=score, max_side=max_side),
            # the model's own bound holds for a tile too, unless the tile was asked to be larger than any picture may be
            part=lambda picture: self.engine.detect(
                picture, score=score, max_side=tile if tile > DEFAULT_MAX_SIDE_PX else None
            ),
        )

    def check_options(
        self, *, score: float | None = None, max_side: int | None = None, tile: int | None = None
    ) -> None:
        """Raise ``UsageError`` for an option of ``detect`` out of range, or for tiles where they would cut regions."""
        _check("score", score, 0, 1)
        _check("max_side", max_side, SMALLEST_SIDE_PX, None)
        _check("tile", tile, SMALLEST_SIDE_PX, None)
        if tile is not None and self.task == "detect-regions":
            raise UsageError(f"tile: would cut the regions of a page, which {self.name} sees whole; leave it out")

    def close(self) -> None:
        """Free the network; the detector cannot be used afterwards."""
        self.engine.close()

    def __enter__(self) -> Detector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check(name: str, value: float | None, least: float, most: float | None) -> None:
    if value is None:
        return
    if not least <= value <= (value if most is None else most):
        wanted = f"{least} or more" if most is None else f"{least} to {most}"
        raise UsageError(f"{name}: expected {wanted}, got {value:g}")
