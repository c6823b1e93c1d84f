"""A bundle of ``ligera enroll`` as what tells faces apart in a frame.

In: pixels ``(H, W, 3)`` uint8 RGB and boxes px. Out: logits ``(N, K)`` of the bundle's persons, each less the person's
threshold, so that above 0 means accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.enrolling.squares import FaceRule, face_rule_from_metadata, face_square
from ligera.deploy.opening import open_bundle
from ligera.errors import ModelError, UsageError, nearest

__all__ = ["Recognizer", "find_bundle"]

SUFFIX = ".onnx"


def find_bundle(who: Sequence[str], model: Path | None) -> tuple[Path | None, tuple[str, ...]]:
    """The bundle to load and the names to watch for in it, none standing for all of them.

    Without ``model``, one of ``who`` may be a bundle's path, or its name without .onnx where ``ligera enroll`` left it
    in this folder. Raises ``UsageError`` where that is not so.
    """
    if model is not None or not who:
        return model, tuple(who)
    if len(who) == 1 and who[0].lower().endswith(SUFFIX):
        return Path(who[0]), ()
    here = Path()
    for name in who:
        # a person's name may be a path nowhere
        path = here / f"{name}{SUFFIX}"
        if Path(name).name == name and path.is_file():
            return path, tuple(who)
    stems = [path.stem for path in here.glob(f"*{SUFFIX}")]
    raise UsageError(
        f"--who {who[0]}: no {who[0]}{SUFFIX} here{nearest(who[0], stems)}; give the bundle as --model FILE, "
        f"or make it: ligera enroll {who[0]!r} --photos DIR --others DIR"
    )


class Recognizer:
    """Tells the ``persons`` of a bundle apart, of whom ``wanted`` are watched for. Not for several threads at once."""

    def __init__(self, classifier: Classifier, rule: FaceRule, wanted: Sequence[str] = ()) -> None:
        self.rule = rule
        self._classifier = classifier
        self.persons = classifier.labels[:-1]
        self.wanted = frozenset(wanted or self.persons)
        self._side_px = (classifier.card.preprocess.fixed or (0, 0))[0]

    @classmethod
    def load(
        cls, path: Path, names: Sequence[str] = (), *, threads: int | None = None, runtime: str = "onnxruntime"
    ) -> Recognizer:
        """The bundle at ``path``.

        Raises ``ModelError`` for a file that no ``ligera enroll`` made, ``UsageError`` for a name that is not in it;
        a single one that is the file's own may stand for all the persons in it.
        """
        opened = open_bundle(path, threads=threads, runtime=runtime)
        opened.expect(path, "classify")
        classifier = Classifier(opened.runtime, opened.card)
        try:
            rule = face_rule_from_metadata(opened.runtime.metadata, str(path))
            if rule is None:
                raise ModelError(f"{path}: is a classifier that knows no faces; make one with `ligera enroll`")
            persons = classifier.labels[:-1]
            unknown = [name for name in names if name not in persons]
            if unknown and [*names] != [path.stem]:
                hint = nearest(unknown[0], persons)
                raise UsageError(f"--who {unknown[0]}: not in {path}{hint}; it knows {', '.join(persons)}")
        except (ModelError, UsageError):
            classifier.close()
            raise
        return cls(classifier, rule, () if unknown else names)

    def look(
        self, pixels: np.ndarray, boxes: Sequence[np.ndarray], landmarks: Sequence[np.ndarray | None] | None = None
    ) -> np.ndarray:
        """Logits ``(N, K)`` float64 of ``persons`` for the faces in ``boxes``, x1 y1 x2 y2 px each.

        They are squared as the bundle learnt to: by their ``landmarks``, ``(5, 2)`` px each, if it says so.
        """
        points = landmarks or [None] * len(boxes)
        squares = [
            face_square(pixels, box, point, self._side_px, self.rule) for box, point in zip(boxes, points, strict=True)
        ]
        logits = np.concatenate([*self._classifier.logits(squares)]).astype(np.float64)
        return logits[:, :-1] - logits[:, -1:]

    def close(self) -> None:
        """Free the network."""
        self._classifier.close()
