"""Ligera trains, searches and ships small vision models under a budget.

import ligera
faces = ligera.load("face-small").detect("photo.jpg")   # -> ligera.records.Detections
animal = ligera.load("animals.onnx").classify("photo.jpg")   # -> ligera.deploy.classifying.classifier.Classification
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ligera.deploy.classifying.classifier import Classifier
    from ligera.deploy.detector import Detector

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(model: str, *, threads: int | None = None) -> Detector | Classifier:
    """A model by built-in name (``ligera models`` lists them) or ONNX bundle path: a ``Detector``, see its ``detect``,
    or for a bundle of a classification network a ``Classifier``, see its ``classify``.

    Raises ``ModelError`` for an unknown name or a file that is no bundle.
    """
    from ligera.deploy.loading import load_model

    return load_model(model, threads=threads)
