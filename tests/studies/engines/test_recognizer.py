"""The paper's task made small: stripes instead of faces, gradient directions instead of ImageNet."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.enrolling.enroll import EnrollOptions
from ligera.deploy.export.reference import TorchReference, recognition_network
from ligera.deploy.quantization.calibration import picture_digests
from ligera.deploy.quantization.record import precision_from_metadata
from ligera.deploy.scoring.accuracy import evaluate_classifier
from ligera.errors import DataError
from ligera.studies.engines import recognizer as module
from ligera.studies.engines import worker
from ligera.studies.engines.contenders import BASE, Contender
from ligera.studies.engines.preparing import prepare_model
from ligera.studies.engines.recognizer import SIDE_PX, make_recognizer
from ligera.train.recognition.bases import load_base

from ...deploy.enrolling.striped import write_photos


@pytest.fixture
def people(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of ann, upright stripes, and of others, lying ones, whose cells the detector ``bundle`` finds."""
    write_photos(tmp_path / "people" / "ann", "upright", 24, 1)
    for number in range(8):
        write_photos(tmp_path / "people" / "others" / f"p{number}", "lying", 3, 100 + number)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "EnrollOptions", functools.partial(EnrollOptions, detector=str(bundle)))
    monkeypatch.setattr(module, "load_base", lambda *_: load_base("gradients", None, "pooled"))
    return tmp_path / "people"


def test_it_is_made_once_and_judges_people_it_never_saw(people: Path, tmp_path: Path) -> None:
    asked = people / "ann", people / "others", tmp_path / "none.safetensors", 20, 24, 1, tmp_path / "made"
    made = make_recognizer(*asked)
    assert sum(made.counts) == 44
    files = [sorted(path.rglob("*.png")) for path in (made.calibration, made.gate, made.test)]
    assert tuple(map(len, files)) == made.counts
    photos = [set(picture_digests(part)) for part in files]
    assert sum(map(len, photos)) == len(set.union(*photos)) == 44
    with Classifier.load(made.bundle, threads=1) as classifier:
        assert classifier.finds_faces
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


def test_its_int8_is_held_to_a_bound_on_faces_that_are_not_scored(people: Path, tmp_path: Path) -> None:
    settings = SimpleNamespace(
        people=people, person="ann", others="others", weights=tmp_path / "none", faces=20, strangers=24
    )
    settings.threads, settings.pictures, settings.max_drop = 1, 5, 30.0
    model = prepare_model("mobilenetv2", settings, tmp_path / "study")
    assert model.data is not None and model.data.name == "test"
    contender = Contender("mobilenetv2", BASE, model.bundles["int8"], SIDE_PX, SIDE_PX, 1, 1)
    runtime = worker.open_contender(contender)
    record = precision_from_metadata(runtime.metadata, "it")
    assert record is not None and record.calibration is not None and record.gate is not None
    assert record.calibration.faces and record.gate.data == "accuracy on mobilenetv2/gate"
    found = worker._score(runtime, contender, model.data)
    assert found["metric"] == "accuracy" and found["points"] > 70
    assert "main face squared" in found["protocol"]
    assert f"were chosen on {record.gate.judged} faces of validation" in model.note and "head" in model.note


def test_a_damaged_record_of_it_is_named(people: Path, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "recognizer.json").write_text(json.dumps({"counts": [1]}))
    with pytest.raises(DataError, match=r"recognizer\.json: damaged; remove .*made, it is made again"):
        make_recognizer(people / "ann", people / "others", tmp_path / "w", 20, 20, 1, tmp_path / "made")
