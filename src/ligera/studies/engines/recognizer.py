"""The paper's own task for ``mobilenetv2``: one person among others, on Coral's ImageNet base, at ImageNet's size.

In: a folder with the person's photos and one of other people's, the base's weights. Out: in the study's folder a bundle
in fp32, the head by itself, and squared faces: ``calibration`` from the training part, ``test/PERSON`` and
``test/unknown`` from the test part, whose other people are in no other part. Frozen base, global average pooling, one
logit, as the paper has it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ligera.deploy.bundle import BundleCard, write_bundle
from ligera.deploy.enrolling.enroll import EnrollOptions, find_photos
from ligera.deploy.enrolling.features import features_of
from ligera.deploy.enrolling.parts import split_faces
from ligera.deploy.enrolling.photos import UNKNOWN, Faces, list_people, list_sightings
from ligera.deploy.export import export_classifier
from ligera.deploy.export_recognizer import trace_base
from ligera.deploy.export_reference import recognition_network
from ligera.deploy.quantization.padding import settle_padding
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import DataError
from ligera.files import write_bytes, write_whole
from ligera.records import Preprocess
from ligera.train.recognition.bases import Base, load_base
from ligera.train.recognition.head import HeadSettings, train_head

__all__ = ["BASE_NAME", "SIDE_PX", "Recognizer", "make_recognizer"]

BASE_NAME = "mobilenetv2-coral"
SIDE_PX = 224
SHARES = (0.4, 0.15, 0.45)
CALIBRATION = 100
DONE = "recognizer.json"


@dataclass(frozen=True, slots=True)
class Recognizer:
    """Where what was made stands, and how many faces each part had: training, validation, test."""

    bundle: Path
    head: Path
    calibration: Path
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
        counts = _learn(found, load_base(BASE_NAME, weights, "pooled"), threads, folder)
        write_bytes(done, (json.dumps({"counts": counts}) + "\n").encode())
    try:
        train, validation, test = (int(count) for count in json.loads(done.read_text())["counts"])
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{done}: damaged; remove {folder}, it is made again") from None
    places = (folder / name for name in ("recognizer.onnx", "head.npz", "calibration", "test"))
    return Recognizer(*places, (train, validation, test))


def _learn(found: Faces, base: Base, threads: int, folder: Path) -> tuple[int, int, int]:
    """Train the head, write bundle, head and faces to ``folder``; how many faces each part had."""
    parts, labels = split_faces(found, 0, SHARES), found.labels
    rule = Preprocess(base.spec.mean, base.spec.scale, multiple=1, fixed=(SIDE_PX, SIDE_PX), crop=True)
    features = features_of(OnnxRuntime(trace_base(base, SIDE_PX), threads=threads), found.squares, rule)
    held = features[parts.validation], labels[parts.validation]
    head = train_head(features[parts.train], labels[parts.train], held, 1, HeadSettings())
    weight = np.concatenate([head.weight, np.zeros_like(head.weight)]).astype(np.float32)
    bias = np.append(head.bias, 0).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    bundle, (name,) = folder / "recognizer.onnx", found.names
    card = BundleCard("mobilenetv2", rule, task="classify", labels=(name, UNKNOWN))
    report = export_classifier(recognition_network(base, weight, bias), card, bundle)
    # a base of TensorFlow's computes its padding for each picture, which no fusing of a runtime gets through
    write_bundle(settle_padding(bundle.read_bytes()), report.card, bundle)
    write_whole(folder / "head.npz", lambda path: _save(path, weight, bias))
    _write(found.squares[_spread(parts.train, CALIBRATION)], folder / "calibration")
    for label, own in ((name, True), (UNKNOWN, False)):
        _write(found.squares[[row for row in parts.test if (labels[row] >= 0) == own]], folder / "test" / label)
    return len(parts.train), len(parts.validation), len(parts.test)


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))]


def _save(path: Path, weight: np.ndarray, bias: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, weight=weight, bias=bias)


def _write(squares: np.ndarray, folder: Path) -> None:
    """Squares as PNG, which keeps every pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, square in enumerate(squares):
        coded = cv2.imencode(".png", np.ascontiguousarray(square[:, :, ::-1]))[1]
        write_bytes(folder / f"{number:04d}.png", coded.tobytes())
