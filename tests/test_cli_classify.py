"""``ligera classify`` from the outside: what is printed, written and returned, and what goes wrong in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera import cli
from ligera.deploy.classifying.classifier import Classifier

from .deploy.colour_sets import plain, write_plain

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def classify(*arguments: object) -> int:
    return cli.run(["classify", *(str(argument) for argument in arguments)])


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ligera.cli", "classify", *(str(argument) for argument in arguments)]


def test_without_options_a_fresh_run_folder_holds_everything(
    classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_plain(tmp_path / "in" / "a.png", "red")
    write_plain(tmp_path / "in" / "b.png", "blue")
    assert classify("in", "--model", classifier_bundle) == 0
    assert classify("in", "--model", classifier_bundle) == 0
    assert {file.name for file in Path("runs/classify/in").iterdir()} == {
        "classifications.jsonl",
        "run.json",
        "sheet-1.jpg",
    }
    assert Path("runs/classify/in-2").is_dir()
    out = capsys.readouterr().out
    assert "a.png: red 0.98 (green 0.01, blue 0.01)" in out
    assert "2 pictures: 1 red, 1 blue" in out and "-> runs/classify/in-2" in out
    record = json.loads(Path("runs/classify/in/run.json").read_text())
    assert (record["pictures"], record["labels"], record["failed"]) == (2, {"red": 1, "blue": 1}, 0)
    assert record["model"] == str(classifier_bundle)


def test_a_terminal_gets_a_table(
    classifier_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for number in range(22):
        write_plain(tmp_path / "in" / f"{number:02d}.png", "red")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert classify("in", "--model", classifier_bundle) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["picture", "label", "score", "ms"]
    assert lines[2].split()[:3] == ["in/00.png", "red", "0.98"]
    assert lines[-2] == "... and 2 more" and lines[-1].startswith("22 pictures: 22 red")


def test_json_is_the_only_thing_on_standard_output_and_nothing_is_written(
    classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    photo = write_plain(tmp_path / "photo.png", "green")
    assert classify(photo, "--model", classifier_bundle, "--json") == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(row) == ["path", "label", "score", "scores"]
    assert (row["path"], row["label"], row["score"]) == (str(photo), "green", row["scores"]["green"])
    assert list(row["scores"]) == sorted(row["scores"], key=row["scores"].get, reverse=True)
    assert not (tmp_path / "runs").exists()


def test_top_bounds_the_scores_that_are_given(classifier_bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    photo = write_plain(tmp_path / "photo.png", "green")
    assert classify(photo, "--model", classifier_bundle, "--json", "--top", 1) == 0
    assert list(json.loads(capsys.readouterr().out)["scores"]) == ["green"]


def test_rows_in_the_folder_equal_those_on_standard_output(
    classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    photo = write_plain(tmp_path / "photo.png", "blue")
    assert classify(photo, "--model", classifier_bundle, "--json", "--out", "here") == 0
    assert capsys.readouterr().out == Path("here/classifications.jsonl").read_text()
    assert Path("here/sheet-1.jpg").is_file()


def test_one_bad_picture_among_many_has_its_row_and_the_code_is_2_at_the_end(
    classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_plain(tmp_path / "in" / "a.png", "red")
    Path("in/b.jpg").write_bytes(b"\xff\xd8 no picture")
    write_plain(tmp_path / "in" / "c.png", "green")
    assert classify("in/*", "nowhere.png", "--model", classifier_bundle, "--json", "--out", "out") == 2
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [row.get("label") for row in rows] == ["red", None, "green", None]
    assert "b.jpg" in rows[1]["error"] and "b.jpg" in captured.err and "nowhere.png" in rows[3]["error"]
    assert "2 pictures: 1 red, 1 green" in captured.err and "2 failed" in captured.err


def test_a_picture_comes_in_by_standard_input(classifier_bundle: Path, tmp_path: Path) -> None:
    content = write_plain(tmp_path / "photo.png", "red").read_bytes()
    done = subprocess.run(
        command("-", "--model", classifier_bundle, "--json"), input=content, capture_output=True, check=True
    )
    row = json.loads(done.stdout)
    assert (row["path"], row["label"]) == ("-", "red")


def test_a_video_becomes_rows_and_a_video(classifier_bundle: Path, capsys: Capture) -> None:
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for colour in ("red", "red", "blue"):
        writer.write(np.ascontiguousarray(plain(colour, 64, 48)[:, :, ::-1]))
    writer.release()
    assert classify("clip.avi", "--model", classifier_bundle) == 0
    rows = [json.loads(line) for line in Path("runs/classify/clip/classifications.jsonl").read_text().splitlines()]
    assert [(row["frame"], row["label"]) for row in rows] == [(0, "red"), (1, "red"), (2, "blue")]
    assert sorted(file.name for file in Path("runs/classify/clip").iterdir()) == [
        "classifications.jsonl",
        "clip.mp4",
        "run.json",
    ]
    assert "clip.avi#2: blue" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "nowhere.png"),
        (["photo.png", "--model", "none.onnx"], "none.onnx: no such model file"),
        (["photo.png", "--model", "notaname"], "'notaname': no such file and no built-in model"),
        (["photo.png", "--model", "face"], "face: is a face detector, which runs with `ligera detect`"),
        (["photo.png", "--model", "haar"], "haar: is a detector, which runs with `ligera detect`"),
        (["photo.png", "--runtime", "magic"], "no runtime is called 'magic'"),
        (["empty"], "no pictures there"),
        (["97"], "97: cannot be opened as a camera"),
    ],
)
def test_what_goes_wrong_is_said_with_code_2(
    arguments: list[str], message: str, classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_plain(tmp_path / "photo.png", "red")
    Path("empty").mkdir()
    model = [] if "--model" in arguments else ["--model", str(classifier_bundle)]
    assert classify(*arguments, *model, "--json") == 2
    captured = capsys.readouterr()
    assert message in captured.err.splitlines()[0] and "Traceback" not in captured.err
    assert not Path("runs").exists()


def test_detecting_with_a_classifier_names_the_verb_for_it(
    classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    photo = write_plain(tmp_path / "photo.png", "red")
    assert cli.run(["detect", str(photo), "--model", str(classifier_bundle)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    wanted = "here a face detector or a layout detector is needed"
    assert f"is a classifier, which runs with `ligera classify`; {wanted}" in line
    assert not Path("runs").exists()


@pytest.mark.parametrize("option", [["--top", "0"], ["--top", "many"], ["--threads", "0"], ["--score", "0.5"], []])
def test_usage_errors_have_code_2(option: list[str], capsys: Capture) -> None:
    assert classify("a.png", *option, *(["--model", "x.onnx"] if option else [])) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sheet-1.jpg", "clip.mp4"])
def test_a_result_never_takes_the_place_of_what_was_given(
    name: str, classifier_bundle: Path, tmp_path: Path, capsys: Capture
) -> None:
    content = write_plain(tmp_path / "photo.png", "red").read_bytes()
    Path(name).write_bytes(content)
    assert classify(name, "--model", classifier_bundle, "--out", ".") == 2
    assert f"--out .: the result would overwrite {name}; choose another folder" in capsys.readouterr().err
    assert Path(name).read_bytes() == content


def test_an_interrupt_keeps_what_was_told_and_has_code_130(
    classifier_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name in "abc":
        write_plain(tmp_path / "in" / f"{name}.png", "red")
    sound, seen = Classifier.classify, []

    def interrupted(self: Classifier, source: object) -> object:
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return sound(self, source)  # type: ignore[arg-type]

    monkeypatch.setattr(Classifier, "classify", interrupted)
    assert classify("in", "--model", classifier_bundle, "--out", "out") == 130
    assert len(Path("out/classifications.jsonl").read_text().splitlines()) == 2
    assert Path("out/sheet-1.jpg").is_file()
    assert "interrupted" in capsys.readouterr().err


def test_many_classes_are_summed_up(
    classifier_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from ligera.deploy.classifying.classifier import Classification

    labels = iter([*"abcdefgh", "a"])
    monkeypatch.setattr(Classifier, "classify", lambda *_: Classification(label := next(labels), 1.0, {label: 1.0}))
    for number in range(9):
        write_plain(tmp_path / "in" / f"{number}.png", "red")
    assert classify("in", "--model", classifier_bundle) == 0
    assert "9 pictures: 2 a, 1 b, 1 c, 1 d, 1 e, 3 more classes" in capsys.readouterr().out


def test_names_that_are_no_text_go_through(classifier_bundle: Path, tmp_path: Path) -> None:
    content = write_plain(tmp_path / "photo.png", "red").read_bytes()
    name = os.fsdecode(b"odd-\xff.png")
    try:
        Path(name).write_bytes(content)
    except OSError:
        pytest.skip("this file system keeps only names that are text")
    done = subprocess.run(command(name, "--model", classifier_bundle, "--json"), capture_output=True, check=True)
    assert json.loads(done.stdout)["path"] == name
