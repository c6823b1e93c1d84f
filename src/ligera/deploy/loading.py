"""Any model by its name or file -> the object that runs it: a detector or a classifier, whichever it was made for."""

from __future__ import annotations

from pathlib import Path

from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.detector import Detector
from ligera.deploy.opening import open_bundle, open_engine
from ligera.deploy.peers import split_peer

__all__ = ["load_model"]


def load_model(model: str | Path, *, threads: int | None = None, runtime: str = "onnxruntime") -> Detector | Classifier:
    """The model ``model``: a built-in name, the path of a bundle, or ``KIND:FILE`` of another maker's detector.

    Raises ``ModelError`` for an unknown name or a file that is no model, ``UsageError`` for an unknown runtime.
    """
    if split_peer(str(model)) is not None:
        return Detector.load(model, threads=threads, runtime=runtime)
    opened = open_bundle(model, threads=threads, runtime=runtime)
    if opened.card.task == "classify":
        return Classifier.of(opened, str(model), threads=threads)
    return Detector(open_engine(opened.runtime, opened.card))
