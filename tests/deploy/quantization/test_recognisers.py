"""A recogniser in int8: ranges and bounds come from the faces that it looks at, and its thresholds still hold."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from ligera import cli
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.enrolling.enroll import EnrollOptions, enroll
from ligera.deploy.enrolling.squares import FACE_KEY, squares_from_metadata
from ligera.deploy.layer_audit import audit_layers
from ligera.deploy.quantization import calibration, converting
from ligera.deploy.quantization.calibration import choose_pictures, choose_shown, shown_inputs
from ligera.deploy.quantization.converting import ConversionPlan, convert
from ligera.deploy.quantization.gate import Score
from ligera.deploy.quantization.logits import logits_of, recentred
from ligera.deploy.quantization.record import precision_from_metadata
from ligera.deploy.quantization.source import read_source
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.deploy.runtimes.tensorrt_calibration import Feed
from ligera.deploy.scoring.accuracy import evaluate_classifier
from ligera.errors import DataError, UsageError

from ..enrolling.striped import striped, write_photos

SIDE_PX = 64


@pytest.fixture(scope="module")
def recogniser(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recogniser")
    write_photos(folder / "ann", "upright", 20, 1)
    for number in range(8):
        write_photos(folder / "others" / f"p{number}", "lying", 4, 100 + number)
    options = EnrollOptions(
        "gradients", detector=str(bundle), side_px=SIDE_PX, variations=1, other_variations=0, threads=1
    )
    return enroll("ann", folder / "ann", folder / "others", folder / "ann.onnx", options).path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos to calibrate on, and a wall without a face."""
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder, "upright", 6, 500)
    write_photos(folder, "lying", 6, 501, "other")
    return write_wall(folder)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    write_photos(folder / "ann", "upright", 10, 600)
    write_photos(folder / "unknown", "lying", 10, 601)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_wall(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "wall.png"), np.zeros((96, 128, 3), np.uint8))
    return folder


def test_it_is_calibrated_on_squared_faces_and_says_all_of_it(
    recogniser: Path, photos: Path, labelled: Path, tmp_path: Path
) -> None:
    out, notes = tmp_path / "small.onnx", list[str]()
    plan = ConversionPlan("int8", calibrate=photos, gate_data=labelled, max_drop=10, threads=1)
    done = convert(recogniser, out, plan, note=notes.append)
    assert notes[:2] == [
        "1 of 13 calibration pictures show no face and are left out",
        "calibrating on 12 faces (minmax)",
    ]
    metadata = OnnxRuntime(out, threads=1).metadata
    record = precision_from_metadata(metadata, "out")
    assert record == done.record and record is not None and record.calibration is not None
    assert record.calibration.faces and record.calibration.pictures == 12
    assert record.gate is not None and record.gate.metric == "accuracy" and record.gate.judged == 20
    assert "head" in record.kept_float and len(record.kept_float) < record.layers
    assert len(record.logit_shift) == 2 and record.logit_shift[0] != 0 == record.logit_shift[1]
    with Classifier.load(recogniser, threads=1) as whole:
        face = metadata[FACE_KEY]
        assert face == whole.runtime.metadata[FACE_KEY]
    with Classifier.load(out, threads=1) as small:
        points = 100 * float(evaluate_classifier(small, labelled).result.accuracy)
    assert small.finds_faces and points == pytest.approx(record.gate.after)


def test_what_it_is_calibrated_on_is_what_it_is_given_when_it_runs(recogniser: Path, photos: Path) -> None:
    with Classifier.load(recogniser, threads=1) as classifier:
        seen: list[np.ndarray] = []
        run = classifier.runtime.run
        classifier.runtime.run = lambda batch: seen.append(batch) or run(batch)  # type: ignore[method-assign, func-returns-value]
        pictures = choose_pictures(photos)
        list(classifier.logits(pictures.paths, 1))
    source = read_source(recogniser)
    faces = choose_shown(pictures, source.card, source.other, "it", threads=1)
    shown = list(shown_inputs(source.card, faces))
    assert len(shown) == len(seen) == 12
    for ours, theirs in zip(shown, seen, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_calibrator_of_tensorrt_is_fed_the_same(recogniser: Path, photos: Path) -> None:
    class Memory:
        def copy_in(self, name: str, batch: np.ndarray) -> int:
            fed.append(batch)
            return 1

        def wait(self) -> None:
            pass

    fed: list[np.ndarray] = []
    source, pictures = read_source(recogniser), choose_pictures(photos)
    faces = choose_shown(pictures, source.card, source.other, "it", threads=1)
    shape = (1, 3, SIDE_PX, SIDE_PX)
    feed, unsquared = (Feed(source.card, each, "minmax", shape, Memory(), ()) for each in (faces, pictures))  # type: ignore[arg-type]
    while feed.next_address() is not None:
        pass
    feed.finish()
    assert len(fed) == 12 and feed.path != unsquared.path
    for ours, theirs in zip(shown_inputs(source.card, faces), fed, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_of_any_other_bundle_pictures_are_shown_whole(bundle: Path, photos: Path) -> None:
    source, pictures = read_source(bundle), choose_pictures(photos)
    assert choose_shown(pictures, source.card, source.other, "it") is pictures


def test_its_logits_are_on_average_where_they_were(recogniser: Path, photos: Path, tmp_path: Path) -> None:
    done = convert(recogniser, tmp_path / "a.onnx", ConversionPlan("int8", calibrate=photos, threads=1))
    with Classifier.load(recogniser, threads=1) as whole, Classifier.load(done.path, threads=1) as small:
        pictures = [path for path in choose_pictures(photos).paths if path.stem != "wall"]
        before, after = (np.concatenate([*each.logits(pictures)])[:, 0] for each in (whole, small))
    # without it they were higher by what the record says
    assert abs((after - before).mean()) < 0.2 * abs(done.record.logit_shift[0])
    assert np.ptp(after - before) > 0


def test_a_shift_is_taken_off_the_bias_of_the_head_alone(recogniser: Path) -> None:
    batches = [np.full((1, 3, SIDE_PX, SIDE_PX), value, np.float32) for value in (10, 90, 200)]
    graph = recogniser.read_bytes()
    expected = logits_of(graph, batches) - np.array([0.5, 0.0])
    moved, shift = recentred(graph, expected, batches)
    assert shift == pytest.approx((0.5, 0.0), abs=1e-5)
    np.testing.assert_allclose(logits_of(moved, batches), expected, atol=1e-5)
    model = onnx.load_model_from_string(graph)
    model.graph.node[-1].op_type = "MatMul"
    assert recentred(model.SerializeToString(), expected, batches) == (model.SerializeToString(), ())


def test_layers_come_back_to_float_until_it_knows_its_people_again(
    recogniser: Path, photos: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = iter([90.0, 70.0, 80.0, 89.5])
    judged: list[tuple[bool, int]] = []

    def score(bundle: Path, *_: object, **__: object) -> Score:
        with Classifier.load(bundle, threads=1) as classifier:
            record = precision_from_metadata(classifier.runtime.metadata, "")
            judged.append((classifier.finds_faces, 0 if record is None else len(record.kept_float)))
        return Score("accuracy", "accuracy on a/b", next(points), 20)

    monkeypatch.setattr(converting, "score_points", score)
    plan = ConversionPlan("int8", calibrate=photos, gate_data=labelled, max_drop=1, threads=1)
    done = convert(recogniser, tmp_path / "a.onnx", plan)
    # the fp32 bundle first; the head is in float from the start
    assert judged == [(True, 0), (True, 1), (True, 2), (True, 3)]
    assert len(done.record.kept_float) == 3 and done.record.gate is not None and done.record.gate.drop == 0.5


def test_a_folder_without_a_face_is_named(recogniser: Path, tmp_path: Path) -> None:
    walls = write_wall(tmp_path / "walls")
    with pytest.raises(
        DataError, match=r"walls: no face found in 1 picture such as wall\.png, .*; calibrate on photos"
    ):
        convert(recogniser, tmp_path / "a.onnx", ConversionPlan("int8", calibrate=walls))
    assert not (tmp_path / "a.onnx").exists()


def test_more_faces_than_fit_into_memory_are_refused(
    recogniser: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "MOST_BYTES", 5 * SIDE_PX * SIDE_PX * 3)
    with pytest.raises(UsageError, match="--calibration-pictures: expected at most 5 faces of 64 px"):
        convert(recogniser, tmp_path / "a.onnx", ConversionPlan("int8", calibrate=photos))


def test_the_command_says_what_was_judged_and_what_stayed(
    recogniser: Path, photos: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["export", str(recogniser), "--precision", "int8", "--calibrate", str(photos), "--gate-data", str(labelled)]
    assert cli.run([*asked, "--max-drop", "10", "-o", str(tmp_path / "a.onnx"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["metric"], said["judged"], said["calibration"]["faces"]) == ("accuracy", 20, True)
    assert "head" in said["kept_float"] and len(said["logit_shift"]) == 2
    assert cli.run([*asked, "--max-drop", "4", "-o", str(tmp_path / "b.onnx")]) in (0, 4)
    assert "one picture of 20 is 5.00 points: too few to judge 4 by" in capsys.readouterr().err


def test_a_striped_face_is_really_found(bundle: Path) -> None:
    squares = squares_from_metadata({FACE_KEY: json.dumps({"detector": str(bundle)})}, "it", SIDE_PX, threads=1)
    assert squares is not None and squares.cut(striped("upright", np.random.default_rng(0))) is not None
    assert str(SIDE_PX) in squares.key and "1.3" in squares.key


def test_layers_are_listed_of_a_recogniser_where_there_is_no_face(recogniser: Path) -> None:
    audit = audit_layers(str(recogniser), np.zeros((90, 120, 3), np.uint8), threads=1)
    assert audit.shape[:2] == (1, 3) and audit.weighted()
