"""The classifier that users hold: any bundle of a classification network, any picture, ``Classification`` back.

    Classifier.load("animals.onnx").classify("photo.jpg")

Pictures are brought to the network's size by the function that training uses (``data.folders``), so that what was
evaluated is what runs. A bundle of ``ligera enroll`` looks at the main face of a picture, squared as those it learnt
from; a picture without one shows nobody it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ligera.data.pictures import read_picture
from ligera.deploy.bundle import BundleCard
from ligera.deploy.classifying.inputs import network_input
from ligera.deploy.enrolling.squares import FaceSquares, squares_from_metadata
from ligera.deploy.opening import OpenedBundle, open_bundle
from ligera.deploy.peers import split_peer
from ligera.deploy.runtimes import Runtime
from ligera.errors import ModelError, UsageError
from ligera.models.preprocess import prepare
from ligera.records import Picture

__all__ = ["Classification", "Classifier", "softmax"]

MOST_BATCH = 4096
# Of each person, and of nobody, in a picture without a face: a score that rounds to 0.
FACELESS = -20.0

Source = np.ndarray | str | Path | Picture


@dataclass(frozen=True, slots=True)
class Classification:
    """What class a picture is of: the best ``label``, its ``score``, and all ``scores`` by label, best first.

    Scores are 0 to 1 and add up to 1.
    """

    label: str
    score: float
    scores: Mapping[str, float]

    def row(self, top: int | None = None) -> dict[str, Any]:
        """``label, score, scores`` ready for JSON, ``scores`` being those of the ``top`` best labels or of all."""
        best = {label: round(score, 4) for label, score in islice(self.scores.items(), top)}
        return {"label": self.label, "score": round(self.score, 4), "scores": best}


def softmax(logits: np.ndarray) -> np.ndarray:
    """Logits ``(B, K)`` -> probabilities ``(B, K)`` float64, each row adding up to 1."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class Classifier:
    """Says of what class pictures are, with one network. Not for several threads at once; load one for each."""

    def __init__(self, runtime: Runtime, card: BundleCard, squares: FaceSquares | None = None) -> None:
        self.runtime = runtime
        self.card = card
        self._squares = squares

    @classmethod
    def load(cls, model: str | Path, *, threads: int | None = None, runtime: str = "onnxruntime") -> Classifier:
        """The classifier ``model``, a built-in name or the path of a bundle.

        ``threads`` is how many the network may use, by default as many as there are cores, at most 4. Raises
        ``ModelError`` for an unknown name or a file that is no such model, a detector for instance, ``UsageError`` for
        an unknown runtime.
        """
        if split_peer(str(model)) is not None:
            raise ModelError(f"{model}: is a detector, which runs with `ligera detect`; here a classifier is needed")
        opened = open_bundle(model, threads=threads, runtime=runtime)
        opened.expect(model, "classify")
        return cls.of(opened, str(model), threads=threads)

    @classmethod
    def of(cls, opened: OpenedBundle, where: str, *, threads: int | None = None) -> Classifier:
        """The classifier in an ``opened`` bundle; a recogniser's finds the face in each picture by itself.

        Raises ``ModelError`` naming ``where``, and closes the network, for one whose face detector is not here.
        """
        side = (opened.card.preprocess.fixed or (0, 0))[0]
        try:
            squares = squares_from_metadata(opened.runtime.metadata, where, side, threads=threads)
        except ModelError:
            opened.runtime.close()
            raise
        return cls(opened.runtime, opened.card, squares)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def finds_faces(self) -> bool:
        """Whether it looks at the main face of a picture, and not at the picture."""
        return self._squares is not None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels

    def classify(self, source: Source) -> Classification:
        """What class one picture is of; ``source`` is ``(H, W, 3)`` uint8 RGB, a file or a ``Picture``.

        Raises ``PictureError`` for a file that is no picture, ``ModelError`` for a network that does not answer as its
        card says and ``ValueError`` for an array of another shape or type.
        """
        return next(self.classify_many([source]))

    def classify_many(self, sources: Iterable[Source], batch: int = 32) -> Iterator[Classification]:
        """The same for each of ``sources``, in order, ``batch`` of them through the network at a time.

        Sources are read as they are needed, so that there may be more of them than fit into memory. Raises
        ``UsageError`` for a batch out of range and what :meth:`classify` raises.
        """
        return self._classifications(self.logits(sources, batch))

    def logits(self, sources: Iterable[Source], batch: int = 32) -> Iterator[np.ndarray]:
        """What the network itself says of ``sources``, ``(B, K)`` float for every ``batch`` of them, ``K`` labels wide.

        Raises what :meth:`classify_many` does.
        """
        if not 1 <= batch <= MOST_BATCH:
            raise UsageError(f"batch: expected 1 to {MOST_BATCH}, got {batch}")
        return self._in_batches(iter(sources), batch)

    def _in_batches(self, sources: Iterator[Source], batch: int) -> Iterator[np.ndarray]:
        while part := [self._input(source) for source in islice(sources, batch)]:
            seen = np.array([picture is not None for picture in part])
            logits = np.full((len(part), len(self.labels)), FACELESS, np.float32)
            logits[:, -1] = 0
            if seen.any():
                found = self._logits(np.concatenate([picture for picture in part if picture is not None]))
                logits = logits.astype(found.dtype)
                logits[seen] = found
            yield logits

    def _classifications(self, batches: Iterator[np.ndarray]) -> Iterator[Classification]:
        for logits in batches:
            for row, scores in zip(logits, softmax(logits), strict=True):
                # by logits, as scores of two labels may both round to one
                order = np.argsort(-row, kind="stable")
                best = {self.labels[place]: float(scores[place]) for place in order}
                yield Classification(self.labels[order[0]], float(scores[order[0]]), best)

    def _input(self, source: Source) -> np.ndarray | None:
        """What the network is given, ``None`` for a picture without the face that it should look at."""
        if isinstance(source, str | Path):
            source = read_picture(source)
        pixels = source.pixels if isinstance(source, Picture) else Picture(source).pixels
        rule = self.card.preprocess
        if self._squares is not None:
            square = self._squares.cut(pixels)
            return None if square is None else prepare(square, rule)[0]
        return network_input(pixels, rule)

    def _logits(self, pictures: np.ndarray) -> np.ndarray:
        outputs = self.runtime.run(pictures)
        logits, wanted = outputs.get("logits"), (len(pictures), len(self.labels))
        fits = isinstance(logits, np.ndarray) and logits.shape == wanted and logits.dtype.kind == "f"
        if not fits or not np.isfinite(logits).all():
            got = "none" if logits is None else f"{getattr(logits, 'dtype', '')} {getattr(logits, 'shape', '')}".strip()
            raise ModelError(
                f"{self.name}: outputs are not what its card says (logits: expected finite floats {wanted}, "
                f"got {got}); export it again"
            )
        return logits

    def close(self) -> None:
        """Free the network; the classifier cannot be used afterwards."""
        self.runtime.close()
        if self._squares is not None:
            self._squares.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
