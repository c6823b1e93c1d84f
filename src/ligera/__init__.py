"""Ligera trains, searches and ships small vision models under a budget.

import ligera
faces = ligera.load("face-small").detect("photo.jpg")   # -> ligera.records.Detections
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ligera.deploy.detector import Detector

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(model: str, *, threads: int | None = None) -> Detector:
    """A detector by built-in name (``ligera models`` lists them) or ONNX bundle path; see ``Detector.detect``.

    Raises ``ModelError`` for an unknown name or a file that is no bundle.
    """
    from ligera.deploy.detector import Detector

    return Detector.load(model, threads=threads)
