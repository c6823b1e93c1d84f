"""Photos of a person, or of several, -> a bundle that knows them: the work behind ``ligera enroll``.

Faces are found and squared, split so that nothing leaks, put through a frozen base once; a head is trained on the
training part, its thresholds are set on validation at the chosen false-accept rate, and what is said of the result
comes from the test part, whose other people were seen in neither. Source: paper E; what differs from it is said in
``EnrollOptions``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ligera.deploy.bundle import BundleCard
from ligera.deploy.detector import Detector
from ligera.deploy.enrolling.features import Variation, features_of, varied
from ligera.deploy.enrolling.operating import Outcome, judge, thresholds_at
from ligera.deploy.enrolling.parts import Parts, split_faces
from ligera.deploy.enrolling.photos import UNKNOWN, Faces, LeftOut, find_faces, list_people, list_sightings
from ligera.deploy.enrolling.roc import draw_roc
from ligera.deploy.enrolling.squares import FaceRule, FaceSquares
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import MissingExtra, UsageError
from ligera.records import Preprocess

if TYPE_CHECKING:
    from ligera.train.recognition.bases import Base
    from ligera.train.recognition.head import Head

__all__ = ["EnrollOptions", "EnrollReport", "enroll", "find_photos", "learn"]

Watch = Callable[[Iterable[Any], int, str], Iterable[Any]]
DATA = "photos given by the user"


@dataclass(frozen=True, slots=True)
class EnrollOptions:
    """``head`` is ``pooled``, the paper's global average pooling with variations as there, or ``places``, which reads
    the base's map of stride 16 without averaging it, its features standardised, and varies faces a little only.

    ``base`` ``None`` takes Coral's MobileNetV2 where ``weights`` are given and otherwise the built-in detector's.
    ``variations`` are drawn of each of the person's training faces, and ``other_variations`` of each other one.
    """

    base: str | None = None
    weights: Path | None = None
    head: str = "places"
    detector: str = "face"
    far: float = 0.01
    side_px: int = 128
    margin: float = 1.3
    alignment: Literal["box", "landmarks"] = "landmarks"
    variations: int = 4
    other_variations: int = 1
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.far < 1:
            raise UsageError(f"--far: expected a share between 0 and 1, got {self.far:g}")
        if self.head not in ("pooled", "places"):
            raise UsageError(f"--head: expected pooled or places, got {self.head!r}")
        if not 64 <= self.side_px <= 512 or self.side_px % 32:
            raise UsageError(f"--side: expected a multiple of 32 from 64 to 512 px, got {self.side_px}")


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """A trained head, its thresholds, the logits ``(N, K)`` and labels of the parts it was not trained on."""

    head: Head
    thresholds: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    seconds: float


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """What was made of which photos, and what it is worth: ``validation`` and ``test`` by part."""

    path: Path
    roc: Path
    labels: tuple[str, ...]
    base: str
    base_source: str
    head: str
    far: float
    thresholds: tuple[float, ...]
    faces: dict[str, dict[str, int]]
    duplicates: int
    left_out: tuple[LeftOut, ...]
    validation: Outcome
    test: Outcome
    epochs: int
    best_epoch: int
    head_s: float
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values |= {"path": str(self.path), "roc": str(self.roc), "head_s": round(self.head_s, 3)}
        values["left_out"] = [asdict(photo) for photo in self.left_out]
        values |= {"validation": self.validation.as_dict(), "test": self.test.as_dict()}
        return values | {"thresholds": [round(value, 4) for value in self.thresholds]}


def enroll(
    name: str | None,
    photos: Path,
    others: Path | None,
    out: Path,
    options: EnrollOptions = EnrollOptions(),
    watch: Watch | None = None,
) -> EnrollReport:
    """Learn ``name`` from ``photos``, or a person from each folder there, and write the bundle ``out``.

    A ROC picture goes beside it. Raises ``UsageError`` and ``DataError`` for options and folders that cannot be used,
    ``ModelError`` for a base without weights, ``MissingExtra`` without torch.
    """
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise UsageError(f"{out}: expected a file ending in .onnx to write to")
    there = next(folder for folder in out.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        # said before minutes of work, not after them
        raise UsageError(f"{out}: nothing can be written into {there}; choose another place with --out")
    people = list_people(photos, name)
    if others is None and len(people) == 1:
        raise UsageError("--others: give a folder with photos of other people, whom one person has to be told from")
    sightings = list_sightings(people, others)
    base = _base(options)
    from ligera.deploy.export.recognizer import trace_base, write_recognizer

    # a base that does not run is said before minutes of looking for faces
    graph = trace_base(base, options.side_px)
    faces = find_photos(tuple(people), sightings, options, watch)
    parts = split_faces(faces, options.seed)
    runtime = OnnxRuntime(graph, threads=options.threads)
    learnt = learn(faces, parts, runtime, base, options, watch)
    thresholds = tuple(map(float, learnt.thresholds))
    source = f"{base.name}, {base.source}"
    rule = FaceRule(options.detector, options.margin, thresholds, options.far, source, options.alignment)
    outcome = judge(*learnt.test, learnt.thresholds)
    card = _card(faces.names, base, options, outcome)
    write_recognizer(graph, learnt.head.weight, learnt.head.bias - learnt.thresholds, card, rule, out)
    roc = out.with_name(f"{out.stem}-roc.png")
    draw_roc({"validation": learnt.validation, "test": learnt.test}, faces.names, learnt.thresholds, roc)
    return EnrollReport(
        path=out,
        roc=roc,
        labels=card.labels,
        base=base.name,
        base_source=base.source,
        head=options.head,
        far=options.far,
        thresholds=thresholds,
        faces=_counts(faces, parts),
        duplicates=parts.duplicates,
        left_out=faces.left_out + _contrary(faces, parts),
        validation=judge(*learnt.validation, learnt.thresholds),
        test=outcome,
        epochs=len(learnt.head.history),
        best_epoch=learnt.head.best,
        head_s=sum(row.seconds for row in learnt.head.history),
        notes=_notes(base, learnt, others, options),
    )


def find_photos(
    names: tuple[str, ...], sightings: list[Any], options: EnrollOptions, watch: Watch | None = None
) -> Faces:
    """The squared main face of each photo, found with the detector of ``options``."""
    looking = None if watch is None else lambda items, total: watch(items, total, "finding faces")
    with Detector.load(options.detector, threads=options.threads) as detector:
        squares = FaceSquares(detector, options.side_px, FaceRule(margin=options.margin, alignment=options.alignment))
        return find_faces(sightings, names, squares, options.side_px, looking)


def learn(
    faces: Faces, parts: Parts, runtime: OnnxRuntime, base: Base, options: EnrollOptions, watch: Watch | None = None
) -> Learnt:
    """Features of every part once, the head on the training part, thresholds on validation."""
    from ligera.train.recognition.head import HeadSettings, train_head

    started = time.perf_counter()
    rule = _preprocess(base, options)
    labels = faces.labels
    shown, targets = _training_faces(faces.squares[parts.train], labels[parts.train], options)
    inside = None if watch is None else lambda items, total: watch(items, total, "computing features")
    training = features_of(runtime, shown, rule, inside)
    held = [(features_of(runtime, faces.squares[rows], rule), labels[rows]) for rows in (parts.validation, parts.test)]
    settings = HeadSettings(standardise=options.head == "places", seed=options.seed)
    head = train_head(training, targets, held[0], len(faces.names), settings)
    validation, test = ((head.logits(features), own) for features, own in held)
    return Learnt(head, thresholds_at(*validation, options.far), validation, test, time.perf_counter() - started)


def _training_faces(squares: np.ndarray, labels: np.ndarray, options: EnrollOptions) -> tuple[np.ndarray, np.ndarray]:
    """The training faces as they are, and their variations after them."""
    rule = Variation() if options.head == "places" else Variation(72, 0, 0)
    random = np.random.default_rng([options.seed, 1])
    shown, targets = [squares], [labels]
    for rows, times in ((labels >= 0, options.variations), (labels < 0, options.other_variations)):
        if times and rows.any():
            shown.append(varied(squares[rows], times, rule, random))
            targets.append(np.tile(labels[rows], times))
    return np.concatenate(shown), np.concatenate(targets)


def _base(options: EnrollOptions) -> Base:
    try:
        from ligera.train.recognition.bases import BUILT_IN, load_base
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("ligera"):
            raise
        raise MissingExtra(str(error.name), "train", "enrolling a person") from None
    chosen = options.base or (BUILT_IN if options.weights is None else "mobilenetv2-coral")
    return load_base(chosen, options.weights, options.head)  # type: ignore[arg-type]


def _preprocess(base: Base, options: EnrollOptions) -> Preprocess:
    side = options.side_px
    return Preprocess(base.spec.mean, base.spec.scale, multiple=1, fixed=(side, side), crop=True)


def _card(names: tuple[str, ...], base: Base, options: EnrollOptions, outcome: Outcome) -> BundleCard:
    protocol = f"test part, other people unseen, false-accept rate {options.far:g} on validation"
    scores = {
        f"{title} ({protocol})": round(share.value, 5)
        for title, share in (
            ("accuracy", outcome.accuracy),
            ("own accepted", outcome.accepted),
            ("others accepted", outcome.false_accepts),
        )
        if share.total
    }
    return BundleCard(
        name=" and ".join(names)[:100],
        preprocess=_preprocess(base, options),
        task="classify",
        labels=(*names, UNKNOWN),
        training_data=f"{DATA}; base {base.name}, {base.source}",
        scores=scores,
    )


def _counts(faces: Faces, parts: Parts) -> dict[str, dict[str, int]]:
    labels = faces.labels
    groups = {**dict(enumerate(faces.names)), -1: "others"}
    rows = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    return {
        name: {part: int((labels[chosen] == label).sum()) for part, chosen in rows.items()}
        for label, name in groups.items()
    }


def _contrary(faces: Faces, parts: Parts) -> tuple[LeftOut, ...]:
    reason = "shows the same as a photo of somebody else"
    return tuple(LeftOut(str(faces.sightings[row].path), reason) for row in parts.contrary)


def _notes(base: Base, learnt: Learnt, others: Path | None, options: EnrollOptions) -> tuple[str, ...]:
    """What whoever trusts the result should know."""
    from ligera.train.recognition.bases import BUILT_IN, GRADIENTS

    notes = []
    if base.name in (BUILT_IN, GRADIENTS):
        notes.append(
            f"no ImageNet weights were given, so the base is {base.name}; --base NAME --weights FILE does better"
        )
    strangers = int((learnt.validation[1] != 0).sum())
    if options.far * strangers < 1:
        notes.append(
            f"the threshold lets none of {strangers} validation faces of others pass: too few for a rate of "
            f"{options.far:g}; {round(1 / options.far)} or more are needed"
        )
    if others is None:
        notes.append("no --others: the only strangers known are the other persons; how many others pass is unmeasured")
    return tuple(notes)
