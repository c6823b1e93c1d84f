"""The paper's task made small: stripes instead of faces, gradient directions instead of ImageNet."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.deploy.accuracy import evaluate_classifier
from ligera.deploy.classifier import Classifier
from ligera.deploy.enrolling.photos import Faces, Sighting, thumb
from ligera.deploy.export_reference import TorchReference, recognition_network
from ligera.errors import DataError
from ligera.studies.engines import recognizer as module
from ligera.studies.engines.recognizer import SIDE_PX, make_recognizer
from ligera.train.recognition.bases import load_base


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of ann, upright stripes, and of others, lying ones; found without looking for faces."""
    generator = np.random.default_rng(0)
    for number in range(48):
        square = generator.integers(0, 120, (SIDE_PX, SIDE_PX, 3), np.uint8)
        place = int(generator.integers(20, SIDE_PX - 40))
        square[np.s_[:, place : place + 12] if number < 24 else np.s_[place : place + 12]] = 250
        folder = tmp_path / "people" / ("ann" if number < 24 else "others")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), square)

    def find_photos(names: tuple[str, ...], sightings: list[Sighting], *_: object) -> Faces:
        squares = [cv2.imread(str(entry.path))[:, :, ::-1] for entry in sightings]
        thumbs = np.stack([np.stack([thumb(square)] * 2) for square in squares])
        return Faces(names, np.stack(squares), thumbs, tuple(sightings), ())

    monkeypatch.setattr(module, "find_photos", find_photos)
    monkeypatch.setattr(module, "load_base", lambda *_: load_base("gradients", None, "pooled"))
    return tmp_path / "people"


def test_it_is_made_once_and_judges_people_it_never_saw(people: Path, tmp_path: Path) -> None:
    asked = people / "ann", people / "others", tmp_path / "none.safetensors", 20, 24, 1, tmp_path / "made"
    made = make_recognizer(*asked)
    assert sum(made.counts) == 44 and len(list(made.test.rglob("*.png"))) == made.counts[2]
    with Classifier.load(made.bundle, threads=1) as classifier:
        scores = evaluate_classifier(classifier, made.test)
    assert scores.names == ("ann", "unknown") and float(scores.result.accuracy) > 0.8
    assert made.bundle.stat().st_mtime_ns == make_recognizer(*asked).bundle.stat().st_mtime_ns
    head = np.load(made.head, allow_pickle=False)
    network = recognition_network(load_base("gradients", None, "pooled"), head["weight"], head["bias"])
    reference = TorchReference(network, made.bundle, threads=1)
    batch = np.random.default_rng(0).integers(0, 256, (1, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
    with Classifier.load(made.bundle, threads=1) as classifier:
        expected = classifier.runtime.run(batch)["logits"]
    np.testing.assert_allclose(reference.run(batch)["logits"], expected, rtol=1e-3, atol=1e-3)


def test_a_damaged_record_of_it_is_named(people: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "recognizer.json").write_text(json.dumps({"counts": [1]}))
    with pytest.raises(DataError, match=r"recognizer\.json: damaged; remove .*made, it is made again"):
        make_recognizer(people / "ann", people / "others", tmp_path / "w", 20, 20, 1, tmp_path / "made")
