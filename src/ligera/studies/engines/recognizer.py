"""The paper's own task for ``mobilenetv2``: one person among others, on Coral's ImageNet base, at ImageNet's size.

In: a folder with the person's photos and one of other people's, the base's weights. Out: in the study's folder a
recogniser's bundle in fp32, the head by itself, and photos that show a face, of people that are in one part only:
``calibration`` from the training part, ``gate/PERSON`` and ``gate/unknown`` from the validation part, ``test/PERSON``
and ``test/unknown`` from the test part. Frozen base, faces mirrored and turned, global average pooling, one logit whose
threshold is 0, as the paper has it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ligera.deploy.bundle import BundleCard
from ligera.deploy.enrolling.enroll import EnrollOptions, Learnt, find_photos, learn
from ligera.deploy.enrolling.parts import Parts, split_faces
from ligera.deploy.enrolling.photos import UNKNOWN, Faces, list_people, list_sightings
from ligera.deploy.enrolling.squares import FaceRule
from ligera.deploy.export.recognizer import trace_base, write_recognizer
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import DataError
from ligera.files import write_bytes, write_whole
from ligera.records import Preprocess
from ligera.train.recognition.bases import Base, load_base

__all__ = ["BASE_NAME", "CALIBRATION", "SIDE_PX", "Recognizer", "make_recognizer"]

BASE_NAME = "mobilenetv2-coral"
SIDE_PX = 224
SHARES = (0.4, 0.15, 0.45)
# as many settle the mean of what int8 adds to a logit to a twentieth of its deviation
CALIBRATION = 400
DONE = "recognizer.json"


@dataclass(frozen=True, slots=True)
class Recognizer:
    """Where what was made stands, and how many faces each part had: training, validation, test."""

    bundle: Path
    head: Path
    calibration: Path
    gate: Path
    test: Path
    counts: tuple[int, int, int]


def make_recognizer(
    person: Path, others: Path, weights: Path, faces: int, strangers: int, threads: int, folder: Path
) -> Recognizer:
    """Make it in ``folder``, or find it there: at most ``faces`` of the person and ``strangers`` of others.

    Raises ``DataError`` for folders without faces, ``ModelError`` for weights that are not the base's.
    """
    done = folder / DONE
    if not done.is_file():
        people = list_people(person, person.name)
        listed = list_sightings(people, others)
        chosen = [entry for entry in listed if entry.label == 0][:faces]
        chosen += [entry for entry in listed if entry.label < 0][:strangers]
        options = EnrollOptions(side_px=SIDE_PX, head="pooled", threads=threads)
        found = find_photos(tuple(people), chosen, options)
        counts = _make(found, load_base(BASE_NAME, weights, "pooled"), options, folder)
        write_bytes(done, (json.dumps({"counts": counts}) + "\n").encode())
    try:
        train, validation, test = (int(count) for count in json.loads(done.read_text())["counts"])
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{done}: damaged; remove {folder}, it is made again") from None
    places = (folder / name for name in ("recognizer.onnx", "head.npz", "calibration", "gate", "test"))
    return Recognizer(*places, (train, validation, test))


def _make(found: Faces, base: Base, options: EnrollOptions, folder: Path) -> tuple[int, int, int]:
    """Train the head, write bundle, head and photos to ``folder``; how many faces each part had."""
    parts = split_faces(found, 0, SHARES)
    graph = trace_base(base, SIDE_PX)
    learnt = learn(found, parts, OnnxRuntime(graph, threads=options.threads), base, options)
    folder.mkdir(parents=True, exist_ok=True)
    _write_bundle(found, base, graph, learnt, options, folder)
    _copy(found, parts.train[_spread(len(parts.train), CALIBRATION)], folder / "calibration")
    (name,) = found.names
    for part, rows in (("gate", parts.validation), ("test", parts.test)):
        for label, own in ((name, True), (UNKNOWN, False)):
            _copy(found, rows[(found.labels[rows] >= 0) == own], folder / part / label)
    return _sizes(parts)


def _write_bundle(found: Faces, base: Base, graph: bytes, learnt: Learnt, options: EnrollOptions, folder: Path) -> None:
    preprocess = Preprocess(base.spec.mean, base.spec.scale, multiple=1, fixed=(SIDE_PX, SIDE_PX), crop=True)
    card = BundleCard("mobilenetv2", preprocess, task="classify", labels=(*found.names, UNKNOWN))
    rule = FaceRule(options.detector, options.margin, (0.0,), base=base.name, alignment=options.alignment)
    weight, bias = learnt.head.weight, learnt.head.bias
    write_recognizer(graph, weight, bias, card, rule, folder / "recognizer.onnx")
    # torch's head has the bundle's two logits, that of nobody being 0
    whole = np.concatenate([weight, np.zeros_like(weight)]).astype(np.float32), np.append(bias, 0).astype(np.float32)
    write_whole(folder / "head.npz", lambda path: _save(path, *whole))


def _sizes(parts: Parts) -> tuple[int, int, int]:
    return len(parts.train), len(parts.validation), len(parts.test)


def _spread(total: int, count: int) -> np.ndarray:
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int))


def _save(path: Path, weight: np.ndarray, bias: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, weight=weight, bias=bias)


def _copy(found: Faces, rows: np.ndarray, folder: Path) -> None:
    """The photos of ``rows``, numbered, as photos of several people may have one name."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        path = found.sightings[row].path
        shutil.copyfile(path, folder / f"{row:05d}{path.suffix}")
