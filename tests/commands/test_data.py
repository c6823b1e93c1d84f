"""``ligera data check`` from the outside: what is there, as bars, and every problem by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera import cli

from ..deploy.spot_sets import write_label_set, write_wider_set

Capture = pytest.CaptureFixture[str]


def check(*arguments: object) -> int:
    return cli.run(["data", "check", *(str(argument) for argument in arguments)])


def test_a_sound_set_is_counted_and_its_sizes_drawn(tmp_path: Path, capsys: Capture) -> None:
    assert check(write_label_set(tmp_path)) == 0
    captured = capsys.readouterr()
    assert "2 pictures, 0 of them without faces" in captured.out
    assert "4 faces, 25% of them with five landmarks; 1 ignore regions" in captured.out
    bars = {line.split()[0]: line for line in captured.out.splitlines() if " - " in line}
    assert bars["32"].split() == ["32", "-", "64", "#" * 40, "4"]
    assert bars["16"].split() == ["16", "-", "32", "0"]
    assert "no problems" in captured.out and captured.err == ""


def test_a_bar_is_as_long_as_its_share_and_never_vanishes(tmp_path: Path, capsys: Capture) -> None:
    folder = write_label_set(tmp_path)
    large, small = "0 0 40 40\n" * 100, "0 0 20 20\n" * 50
    (folder / "label.txt").write_text(f"# near/a.png\n{large}{small}0 0 4 4\n")
    (folder / "ignore.txt").unlink()
    assert check(folder) == 0
    bars = [line.count("#") for line in capsys.readouterr().out.splitlines() if " - " in line]
    assert bars == [1, 0, 20, 40, 0, 0, 0]


def test_json_holds_every_problem_and_the_terminal_the_first_twenty(tmp_path: Path, capsys: Capture) -> None:
    folder = write_label_set(tmp_path)
    (folder / "label.txt").write_text("# near/a.png\n" + "1 2 three 4\n" * 30)
    (folder / "ignore.txt").unlink()
    assert check(folder, "--json") == 2
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["ok"] is False and len(report["problems"]) == 30
    assert report["problems"][-1]["line"] == 31 and report["problems"][-1]["kind"] == "malformed"
    assert check(folder) == 2
    captured = capsys.readouterr()
    assert captured.out.count("expected numbers, got 'three'") == 20
    assert "... and 10 more; --json lists them all" in captured.out
    assert "cannot be trained on as it stands, 30 of its problems must be repaired" in captured.err


@pytest.mark.parametrize("harm", ["missing", "broken"])
def test_a_picture_that_cannot_be_used_is_named_by_the_line_that_asks_for_it(
    tmp_path: Path, harm: str, capsys: Capture
) -> None:
    folder = write_label_set(tmp_path)
    picture = folder / "images" / "far" / "b.png"
    if harm == "missing":
        picture.unlink()
    else:
        picture.write_bytes(picture.read_bytes()[:-40])
    assert check(folder) == 2
    assert f"{harm}: {folder / 'label.txt'}:4: " in capsys.readouterr().out


def test_suspect_lines_are_shown_behind_the_grave_ones_and_alone_do_no_harm(tmp_path: Path, capsys: Capture) -> None:
    folder = write_label_set(tmp_path)
    (folder / "ignore.txt").unlink()
    (folder / "label.txt").write_text("# near/a.png\n10 10 0 5\n")
    assert check(folder) == 0
    assert "suspect: " in capsys.readouterr().out
    (folder / "label.txt").write_text("# near/a.png\n10 10 0 5\n1 2 3\n")
    assert check(folder) == 2
    kinds = [line.split(":")[0].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [kind for kind in kinds if kind in ("malformed", "suspect")] == ["malformed", "suspect"]


def test_the_format_is_told_from_the_files_or_said(tmp_path: Path, capsys: Capture) -> None:
    folder = write_wider_set(tmp_path)
    assert check(folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["format"] == "widerface"
    assert check(folder, "--format", "retinaface") == 2
    assert "expected a RetinaFace label.txt" in capsys.readouterr().err
    assert check(folder, "--format", "retinafase") == 2
    assert "did you mean 'retinaface'" in capsys.readouterr().err


def write_class(folder: Path, name: str, count: int) -> None:
    (folder / name).mkdir(parents=True)
    for number in range(count):
        pixels = np.full((40 + number, 60, 3), len(name), np.uint8)
        cv2.imwrite(str(folder / name / f"{number}.png"), pixels)


def test_folders_of_classes_are_counted_and_drawn(tmp_path: Path, capsys: Capture) -> None:
    write_class(tmp_path, "cat", 4)
    write_class(tmp_path, "horse", 2)
    assert check(tmp_path) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:5] == [
        f"{tmp_path}: folders",
        "6 pictures in 2 classes",
        "train: 6 pictures",
        f"  cat   {'#' * 40} 4",
        f"  horse {'#' * 20}{' ' * 20} 2",
    ]
    assert "no problems" in captured.out and captured.err == ""


def test_a_broken_picture_of_a_class_is_named_and_the_code_is_2(tmp_path: Path, capsys: Capture) -> None:
    write_class(tmp_path, "cat", 1)
    write_class(tmp_path, "horse", 1)
    (tmp_path / "cat" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert check(tmp_path, "--format", "folders", "--json") == 2
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["ok"] is False and report["broken"] == 1
    assert report["problems"][0]["file"] == str(tmp_path / "cat" / "x.png")
    assert report["splits"] == [{"split": "train", "pictures": 3, "classes": {"cat": 2, "horse": 1}}]
    assert len(captured.err.splitlines()) == 1


def test_a_pickle_that_would_run_something_is_one_line_of_the_report(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    assert check(tmp_path) == 2
    captured = capsys.readouterr()
    assert f"malformed: {tmp_path / 'data_batch_1'}: asks to import os.system" in captured.out
    assert "Traceback" not in captured.err
