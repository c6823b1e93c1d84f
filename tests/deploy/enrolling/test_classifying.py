"""Whole pictures given to what ``ligera enroll`` made: the face in them is what counts."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from ligera import cli
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.enrolling.enroll import EnrollOptions, enroll
from ligera.deploy.enrolling.squares import FACE_KEY
from ligera.deploy.loading import load_model
from ligera.errors import ModelError

from .striped import striped, write_photos


@pytest.fixture(scope="module")
def recognizer(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recognizer")
    write_photos(folder / "ann", "upright", 20, 1)
    for number in range(8):
        write_photos(folder / "others" / f"p{number}", "lying", 4, 100 + number)
    options = EnrollOptions("gradients", detector=str(bundle), side_px=64, variations=1, other_variations=0, threads=1)
    return enroll("ann", folder / "ann", folder / "others", folder / "ann.onnx", options).path


def test_the_face_somewhere_in_a_picture_is_what_is_looked_at(recognizer: Path) -> None:
    generator = np.random.default_rng(5)
    kinds = ["upright", "lying"] * 6
    for load in (Classifier.load, load_model):
        with load(recognizer, threads=1) as classifier:
            assert isinstance(classifier, Classifier) and classifier.finds_faces
            found = [row.label for row in classifier.classify_many([striped(kind, generator) for kind in kinds])]
        right = [label == ("ann" if kind == "upright" else "unknown") for kind, label in zip(kinds, found, strict=True)]
        assert sum(right) >= 10


def test_a_picture_without_a_face_shows_nobody_known_beside_others_that_do(recognizer: Path) -> None:
    wall = np.zeros((96, 128, 3), np.uint8)
    shown = striped("upright", np.random.default_rng(8))
    with Classifier.load(recognizer, threads=1) as classifier:
        first, second, third = classifier.classify_many([wall, shown, wall])
        (alone,) = classifier.classify_many([wall])
    assert first == third == alone and (first.label, round(first.score, 3)) == ("unknown", 1.0)
    assert second.scores != first.scores


def test_the_command_names_whom_a_photo_shows(
    recognizer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.zeros((96, 128, 3), np.uint8))
    assert cli.run(["classify", str(tmp_path / "wall.png"), "--model", str(recognizer), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "unknown"


def test_a_recogniser_whose_detector_is_gone_says_so(recognizer: Path, tmp_path: Path) -> None:
    model = onnx.load(recognizer)
    entry = next(entry for entry in model.metadata_props if entry.key == FACE_KEY)
    entry.value = json.dumps(json.loads(entry.value) | {"detector": str(tmp_path / "gone.onnx")})
    onnx.save(model, tmp_path / "ann.onnx")
    for load in (Classifier.load, load_model):
        with pytest.raises(ModelError, match=r"ann\.onnx: needs its face detector"):
            load(tmp_path / "ann.onnx")
