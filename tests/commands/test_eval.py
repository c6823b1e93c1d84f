"""``ligera eval`` from the outside: tables and JSON with their protocol, and errors of one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ligera import cli
from ligera.data.pictures import read_picture
from ligera.metrics.widerface import write_dump

from ..deploy.colour_sets import write_class_folders
from ..deploy.spot_sets import write_label_set, write_wider_set

Capture = pytest.CaptureFixture[str]


def evaluate(*arguments: object) -> int:
    return cli.run(["eval", *(str(argument) for argument in arguments)])


@pytest.fixture
def wider(tmp_path: Path) -> Path:
    """A WIDER FACE set of two pictures with one face each, and in ``dump`` a detection of the first."""
    folder = write_wider_set(tmp_path / "wider")
    nothing = np.zeros((0, 5))
    write_dump(tmp_path / "dump", {"0--Parade": {"a": np.array([[32.0, 32, 32, 32, 0.9]]), "b": nothing}})
    return folder


def test_json_is_one_object_with_its_protocol_and_nothing_else(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    assert evaluate(bundle, write_label_set(tmp_path), "--json", "--threads", 1) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["model"] == str(bundle)
    assert found["ap50"] == pytest.approx(0.5625)
    assert found["sources"]["near"]["ap50"] == 1.0
    assert found["protocol"].startswith("AP@0.5") and "native size, single scale" in found["protocol"]
    assert captured.err == ""


def test_the_table_has_a_row_for_each_source_and_the_protocol_below(
    bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert evaluate(bundle, write_label_set(tmp_path), "--threads", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines]
    assert ["near", "1", "2", "1.000", "1.000", "1.000", "0.200"] in rows
    assert ["far", "1", "2", "0.250", "0.500", "0.500", "-"] in rows
    assert "single scale" in lines[-1]


def test_the_layout_of_the_data_chooses_the_protocol(bundle: Path, wider: Path, capsys: Capture) -> None:
    assert evaluate(bundle, wider, "--json", "--threads", 1) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["easy"], found["hard"]) == (1.0, pytest.approx(0.5))
    assert evaluate(bundle, wider, "--json", "--threads", 1, "--protocol", "ap50") == 0
    assert json.loads(capsys.readouterr().out)["ap50"] == pytest.approx(0.5)


def test_the_bound_on_the_size_stands_in_the_protocol(bundle: Path, wider: Path, capsys: Capture) -> None:
    assert evaluate(bundle, wider, "--max-side", 64, "--threads", 1) == 0
    assert "long side at most 64 px" in capsys.readouterr().out


@pytest.mark.parametrize("inside", ["wider_face_split", "."])
def test_detections_on_disk_are_scored_without_a_model(
    wider: Path, tmp_path: Path, inside: str, capsys: Capture
) -> None:
    split = wider / inside
    arguments = ("--detections", tmp_path / "dump", "--ground-truth", split, "--protocol", "widerface")
    assert evaluate(*arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["easy"], found["medium"], found["hard"]) == (1.0, 1.0, pytest.approx(0.5))
    assert (found["pictures"], found["missing"], found["unknown"]) == (2, 0, 0)
    assert "input size and scales not stated" in found["protocol"]
    assert evaluate(*arguments) == 0
    assert ["1.000", "1.000", "0.500"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_small_faces_are_ignored_on_request_where_the_protocol_lets_one(
    bundle: Path, wider: Path, capsys: Capture
) -> None:
    arguments = (bundle, wider, "--min-face", 33, "--threads", 1, "--json")
    assert evaluate(*arguments, "--protocol", "ap50") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["faces"], found["ap50"]) == (0, None)
    assert evaluate(*arguments) == 2
    assert "has its own rule of which faces count" in capsys.readouterr().err


def test_pictures_without_a_file_and_files_without_a_picture_are_counted(
    wider: Path, tmp_path: Path, capsys: Capture
) -> None:
    dump = tmp_path / "dump" / "0--Parade"
    (dump / "b.txt").rename(dump / "c.txt")
    arguments = ("--detections", tmp_path / "dump", "--ground-truth", wider / "wider_face_split")
    assert evaluate(*arguments, "--json") == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["missing"], found["unknown"]) == (1, 1)
    assert "1 of 2 pictures have no file" in captured.err
    assert "1 files are of pictures that the ground truth does not list" in captured.err


def test_scoring_a_dump_loads_neither_torch_nor_a_runtime(wider: Path, tmp_path: Path) -> None:
    arguments = ["eval", "--detections", str(tmp_path / "dump"), "--ground-truth", str(wider), "--json"]
    script = f"from ligera.cli import run\nassert run({arguments!r}) == 0\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    report, modules = done.stdout.splitlines()
    assert json.loads(report)["easy"] == 1.0
    assert not {"torch", "onnxruntime", "cv2"} & set(modules.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "give MODEL and DATA"),
        (["face"], "give MODEL and DATA"),
        (["--detections", "dump"], "belong together"),
        (["face", "--detections", "dump", "--ground-truth", "split"], "without a model"),
        (["--detections", "dump", "--ground-truth", "split", "--protocol", "ap50"], "scored by widerface only"),
        (["--detections", "dump", "--ground-truth", "split"], "dump: not a folder"),
        (["nonesuch", "."], "'nonesuch': no such file and no built-in model"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_code_2(arguments: list[str], reason: str, capsys: Capture) -> None:
    assert evaluate(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err and len(captured.err.splitlines()) == 1


def test_a_broken_picture_is_named_in_one_line_and_no_score_given(
    bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = write_label_set(tmp_path)
    (folder / "images" / "far" / "b.png").write_bytes(b"not a picture")
    assert evaluate(bundle, folder, "--json") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "1 of 2 pictures cannot be read" in captured.err and "b.png" in captured.err


def test_a_classifiers_accuracy_has_its_interval_and_a_row_for_each_class(
    classifier_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_class_folders(tmp_path / "set")
    assert evaluate(classifier_bundle, "set", "--protocol", "accuracy", "--threads", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["red", "2", "0.667", "1.000", "0.800"] in [line.split() for line in lines]
    assert ["blue", "2", "1.000", "0.500", "0.667"] in [line.split() for line in lines]
    assert "accuracy 0.8333 (0.4365 to 0.9699) over 6 pictures" in lines
    assert "input 16 x 16 px, middle square" in lines[-2]
    assert lines[-1] == "-> runs/eval/colours-set"
    written = json.loads(Path("runs/eval/colours-set/scores.json").read_text())
    assert (written["accuracy"], written["confusion"]) == (pytest.approx(5 / 6), [[2, 0, 0], [0, 2, 0], [1, 0, 1]])
    assert min(read_picture("runs/eval/colours-set/confusion.png").pixels.shape[:2]) > 100


def test_a_classifier_needs_no_protocol_and_writes_nothing_beside_json_unless_asked(
    classifier_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_class_folders(tmp_path / "set")
    assert evaluate(classifier_bundle, "set", "--json", "--threads", 1) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["model"], found["accuracy"]) == (str(classifier_bundle), pytest.approx(5 / 6))
    assert captured.err == "" and not Path("runs").exists()
    assert evaluate(classifier_bundle, "set", "--json", "--threads", 1, "--out", "here") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads(Path("here/scores.json").read_text())
    assert captured.err == "-> here\n" and Path("here/confusion.png").is_file()


def test_a_detectors_scores_go_into_a_folder_on_request(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    assert evaluate(bundle, write_label_set(tmp_path / "set"), "--json", "--threads", 1, "--out", out) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "scores.json").read_text())
    assert [file.name for file in out.iterdir()] == ["scores.json"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--protocol", "ap50"], "--protocol ap50 is for detectors; colours is a classifier: use accuracy"),
        (["--protocol", "coco"], "--protocol coco is for detectors"),
        (["--max-side", "64"], "--max-side and --min-face are for detectors"),
        (["--min-face", "64"], "--max-side and --min-face are for detectors"),
    ],
)
def test_a_classifier_takes_no_option_of_detectors(
    options: list[str], reason: str, classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert evaluate(classifier_bundle, write_class_folders(tmp_path), *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


def test_a_classifier_on_faces_and_classes_it_does_not_know_are_one_line(
    classifier_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_label_set(tmp_path / "faces")
    write_class_folders(tmp_path / "set")
    (tmp_path / "set" / "blue").rename(tmp_path / "set" / "azure")
    for data, reason in (("faces", "faces"), ("set", "only the data has 'azure'; only the model has 'blue'")):
        assert evaluate(classifier_bundle, data) == 2
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert reason in line and captured.out == ""
    assert not Path("runs").exists()


def test_a_detector_has_no_accuracy(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    assert evaluate(bundle, write_class_folders(tmp_path), "--protocol", "accuracy") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--protocol accuracy is for classifiers; spots finds faces" in line
