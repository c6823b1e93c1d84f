"""One base, one head, one seed: features, head, scores and times."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.enrolling.enroll import EnrollOptions
from ligera.deploy.enrolling.features import Variation, features_of, varied
from ligera.deploy.enrolling.operating import Outcome, judge, roc_points, thresholds_at
from ligera.deploy.enrolling.parts import Parts
from ligera.deploy.enrolling.photos import Faces
from ligera.deploy.export.recognizer import trace_base
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.records import Preprocess
from ligera.train.recognition.bases import load_base
from ligera.train.recognition.head import HeadSettings, train_head

__all__ = ["HEADS", "OpenedBase", "Trial", "open_base", "run_trial"]

HEADS = ("pooled", "places")


@dataclass(slots=True)
class OpenedBase:
    """A base in ONNX Runtime; ``plain`` are the features of all faces, computed for the first seed and kept."""

    name: str
    head: str
    runtime: OnnxRuntime
    preprocess: Preprocess
    plain: np.ndarray | None = None
    plain_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trial:
    """``accuracy`` and ``loss`` on the test part at logit 0, ``outcome`` at the threshold set on validation; times in
    seconds; ``counts`` of faces in training, validation and test; ``curve``: false- and true-accept rates there."""

    base: str
    head: str
    seed: int
    accuracy: float
    loss: float
    outcome: Outcome
    epochs: int
    epoch_s: float
    features_s: float
    total_s: float
    counts: tuple[int, int, int]
    curve: tuple[np.ndarray, np.ndarray]


def open_base(name: str, weights: Path | None, head: str, options: EnrollOptions | None) -> Any:
    """The base ready to run, or merely loaded, to see that it can be, where there are no ``options``."""
    base = load_base(name, weights, head)  # type: ignore[arg-type]
    if options is None:
        return base
    runtime = OnnxRuntime(trace_base(base, options.side_px), threads=options.threads)
    side = options.side_px
    rule = Preprocess(base.spec.mean, base.spec.scale, multiple=1, fixed=(side, side), crop=True)
    return OpenedBase(name, head, runtime, rule)


def run_trial(base: OpenedBase, faces: Faces, parts: Parts, options: EnrollOptions) -> Trial:
    """Train one head of ``base`` on ``parts`` and score it."""
    if base.plain is None:
        started = time.perf_counter()
        base.plain = features_of(base.runtime, faces.squares, base.preprocess)
        base.plain_s = time.perf_counter() - started
    labels = faces.labels
    started = time.perf_counter()
    rule = Variation() if base.head == "places" else Variation(72, 0, 0)
    random = np.random.default_rng([options.seed, 1])
    more = features_of(base.runtime, varied(faces.squares[parts.train], 1, rule, random), base.preprocess)
    features_s = base.plain_s + time.perf_counter() - started
    training = np.concatenate([base.plain[parts.train], more])
    targets = np.tile(labels[parts.train], 2)
    held, tested = ((base.plain[rows], labels[rows]) for rows in (parts.validation, parts.test))
    settings = HeadSettings(standardise=base.head == "places", seed=options.seed)
    started = time.perf_counter()
    head = train_head(training, targets, held, 1, settings)
    head_s = time.perf_counter() - started
    logits, test_labels = head.logits(tested[0]), tested[1]
    thresholds = thresholds_at(head.logits(held[0]), held[1], options.far)
    at_zero = judge(logits, test_labels, np.zeros(1))
    return Trial(
        base.name,
        base.head,
        options.seed,
        at_zero.accuracy.value,
        cross_entropy(logits[:, 0], test_labels == 0),
        judge(logits, test_labels, thresholds),
        len(head.history),
        float(np.mean([row.seconds for row in head.history])),
        features_s,
        features_s + head_s,
        (len(parts.train), len(parts.validation), len(parts.test)),
        roc_points(logits[:, 0], test_labels == 0),
    )


def cross_entropy(logits: np.ndarray, own: np.ndarray) -> float:
    """Mean binary cross entropy of ``logits (N,)``, without overflow."""
    return float(np.logaddexp(0, np.where(own, -logits, logits).astype(np.float64)).mean())
