"""``ligera export --precision``: runs and bundles in other precisions, and what stops one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera import cli
from ligera.deploy.detector import Detector
from ligera.deploy.quantization.record import precision_from_metadata

from ..deploy.conftest import PEOPLE
from ..deploy.export.run_folders import write_finished_run
from ..deploy.spot_sets import write_label_set

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = cv2.imread(str(PEOPLE))
    cv2.imwrite(str(folder / "small.png"), cv2.resize(picture, (320, 131), interpolation=cv2.INTER_AREA))
    return folder


def one_line(capsys: Capture) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = [line for line in captured.err.splitlines() if line.startswith("ligera: ")]
    return line


def test_a_built_in_model_becomes_int8_and_json_says_how(photos: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "small.onnx"
    arguments = ["export", "face-small", "-o", str(out), "--precision", "int8", "--calibrate", str(photos), "--json"]
    assert cli.run(arguments) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err == "calibrating on 1 pictures (minmax)\n"
    assert (found["file"], found["precision"], found["drop"]) == (str(out), "int8", None)
    assert found["size_bytes"] == out.stat().st_size < 0.4 * found["source_bytes"]
    assert found["calibration"]["pictures"] == 1 and found["layers"] == 24 and len(found["kept_float"]) == 4
    with Detector.load(out, threads=1) as detector:
        assert len(detector.detect(PEOPLE)) >= 6
        record = precision_from_metadata(detector.engine.runtime.metadata, "small")  # type: ignore[union-attr]
    assert record is not None and record.source_sha256 == found["source_sha256"]


def test_a_run_is_exported_and_converted_in_one_step(tmp_path: Path, photos: Path, capsys: Capture) -> None:
    run, out = write_finished_run(tmp_path / "run"), tmp_path / "tiny.onnx"
    arguments = [
        "export",
        str(run),
        "-o",
        str(out),
        "--name",
        "mine",
        "--precision",
        "int8",
        "--calibrate",
        str(photos),
    ]
    assert cli.run(arguments) == 0
    text = capsys.readouterr().out
    assert f"{out}: mine, {out.stat().st_size / 1e6:.2f} MB (" in text and ", int8" in text
    assert "4 of 24 layers in float: " in text
    assert "what it lost was not measured: give labelled pictures as --gate-data" in text


def test_the_drop_is_shown_where_labelled_pictures_are_given(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    data = write_label_set(tmp_path / "data")
    arguments = ["export", str(bundle), "-o", str(tmp_path / "a.onnx"), "--precision", "fp16", "--gate-data", str(data)]
    assert cli.run(arguments) == 0
    captured = capsys.readouterr()
    assert "points of AP50, fp32 " in captured.out and "drop +0.00" in captured.out
    assert captured.err.startswith("fp32: ")


def test_what_loses_too_much_exits_with_4_and_leaves_no_file(
    photos: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ligera.deploy.quantization import converting
    from ligera.deploy.quantization.gate import Score

    points = iter([80.0, 70.0])
    monkeypatch.setattr(converting, "score_points", lambda *_, **__: Score("AP50", "AP50 on a/b", next(points)))
    out = tmp_path / "a.onnx"
    arguments = ["export", "face-small", "-o", str(out), "--precision", "fp16", "--gate-data", str(photos)]
    assert cli.run(arguments) == 4
    assert "a.onnx: not written, fp16 loses 10.00 points of AP50 (at most 1 allowed)" in one_line(capsys)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["face", "-o", "a.onnx"], "face: is a bundle already; say which --precision to make of it"),
        (
            ["face", "face-small", "-o", "a.onnx", "--precision", "fp16"],
            "face: is a bundle, which is converted by itself",
        ),
        (["face", "-o", "a.onnx", "--precision", "fp16", "--name", "x"], "--name: is of a training run, and face is"),
        (["none.onnx", "-o", "a.onnx", "--precision", "fp16"], "none.onnx: no such model file"),
        (["face", "-o", "a.onnx", "--precision", "int8", "--calibrate", "empty"], "'empty': no pictures there"),
        (["face", "-o", "a.onnx", "--precision", "int8", "--calibrate", "none"], "'none': no such file or folder"),
        (
            ["face", "-o", "a.onnx", "--precision", "int8", "--calibrate", "empty", "--calibration", "max"],
            "--calibration: there is no 'max'; did you mean 'minmax'",
        ),
        (["face", "-o", "a.onnx", "--precision", "fp16", "--max-drop", "-1"], "--max-drop: expected 0 to 100 points"),
    ],
)
def test_what_cannot_be_converted_is_one_line_and_leaves_no_file(
    arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert cli.run(["export", *arguments]) == 2
    assert reason in one_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_photo_that_is_none_is_named_and_nothing_is_written(photos: Path, tmp_path: Path, capsys: Capture) -> None:
    (photos / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    arguments = ["export", "face", "-o", str(tmp_path / "a.onnx"), "--precision", "int8", "--calibrate", str(photos)]
    assert cli.run(arguments) == 2
    assert "bad.png" in one_line(capsys)
    assert not (tmp_path / "a.onnx").exists()


def test_bench_lists_layers_and_the_precision_they_ran_in(capsys: Capture) -> None:
    arguments = ["bench", "face-small", "--layers", "--threads", "1", "--size", "96x64"]
    assert cli.run(arguments) == 0
    text = capsys.readouterr().out
    assert "layers with weights: 24 in fp32; of " in text and "input 1 x 3 x 64 x 96" in text
    assert cli.run([*arguments, "--json"]) == 0
    (audit,) = json.loads(capsys.readouterr().out)["models"]
    assert audit["weighted"] == {"fp32": 24} and audit["shares"] == {"fp32": pytest.approx(1)}
    assert np.isfinite(audit["time_ms"])


def test_layers_are_listed_alone(capsys: Capture) -> None:
    assert cli.run(["bench", "face-small", "--layers", "--vs", "face"]) == 2
    assert "--layers: lists layers and compares nothing" in one_line(capsys)
