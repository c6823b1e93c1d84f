"""``ligera mine`` from the outside: the table, exit codes, interrupts and what it says when something is wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera import cli
from ligera.data.crops import read_crops

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures with a bright square each, which is the face."""
    monkeypatch.chdir(tmp_path)
    lines = []
    for number in range(6):
        pixels = np.full((64, 64, 3), 40 + number, np.uint8)
        pixels[16:44, 10:38] = 220
        path = tmp_path / "faces" / "images" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        lines.append(f"# {number}.png\n10 16 28 28\n")
    (tmp_path / "faces" / "label.txt").write_text("".join(lines))
    return tmp_path / "faces"


def command(*words: str, stage: str = "12") -> list[str]:
    return ["mine", "faces", "-o", "out", "--stage", stage, "--engine", "sequential", *words]


@pytest.mark.usefixtures("faces")
def test_it_prints_the_table_and_where_the_crops_are(capsys: Capture) -> None:
    assert cli.run(command()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "found", "min", "IoU", "mean", "IoU", "max", "IoU", "crops"]
    assert [line.split()[0] for line in lines[2:7]] == ["negative", "positive", "part", "landmark", "all"]
    crops = read_crops(Path("out"))
    assert lines[-1] == f"{len(crops)} crops of 12 px in 1 shards -> out"
    assert cv2.imread("out/iou.png").shape == (520, 1000, 3)
    assert json.loads(Path("out/run.json").read_text())["work_s"].keys() == {"read", "propose", "write"}


@pytest.mark.usefixtures("faces")
def test_json_is_all_that_stands_on_standard_output(capsys: Capture) -> None:
    assert cli.run([*command("--json", "--ratio", "1:2:1", "--crops", "40"), "--engine", "threads"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"negative": 10, "positive": 10, "part": 20, "landmark": 0}
    assert (report["folder"], report["crops"], report["ratio"]) == ("out", 40, [1, 2, 1, 0])
    assert report["engines"] == {"propose": "threads", "cut": "threads"} and report["failed"] == []


@pytest.mark.usefixtures("faces")
def test_the_same_command_again_does_nothing_twice(capsys: Capture) -> None:
    assert cli.run(command()) == 0
    results = ("mined.json", "iou.png", "plan.json", "shard-00000.npz")
    times = {Path("out", name): Path("out", name).stat().st_mtime_ns for name in results}
    capsys.readouterr()
    assert cli.run(command()) == 0
    assert "6 of 6 pictures had been mined before" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_broken_picture_is_named_and_the_exit_code_says_so(faces: Path, capsys: Capture) -> None:
    (faces / "images" / "3.png").write_bytes(b"nothing")
    assert cli.run(command("--json")) == 2
    captured = capsys.readouterr()
    assert "3.png" in captured.err and len(captured.err.splitlines()) == 1
    (failed,) = json.loads(captured.out)["failed"]
    assert failed["path"].endswith("3.png") and json.loads(captured.out)["pictures"] == 5


@pytest.mark.usefixtures("faces")
@pytest.mark.parametrize(
    ("stage", "words", "complaint"),
    [
        ("13", (), "stage: expected 12, 24 or 48"),
        ("24", (), "give --model"),
        ("12", ("--model", "face"), "without a network"),
        ("24", ("--model", "face"), "is no cascade"),
        ("24", ("--model", "fase"), "did you mean 'face'"),
        ("24", ("--model", "faces"), "pnet.pt"),
        ("12", ("--engine", "treads"), "did you mean 'threads'"),
        ("12", ("--workers", "5000"), "workers: expected 1 to"),
        ("12", ("--ratio", "1:1"), "ratio: expected"),
        ("12", ("--ratio", "0:1:3"), "of positives at least 1"),
        ("12", ("--positive", "0.2"), "IoU: expected 0 < negative <= part <= positive"),
        ("12", ("--score", "nan"), "score: expected"),
        ("12", ("--out", "faces/out"), "choose a folder elsewhere"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_no_folder(
    stage: str, words: tuple[str, ...], complaint: str, capsys: Capture
) -> None:
    assert cli.run(command(*words, stage=stage)) == 2
    captured = capsys.readouterr()
    assert complaint in captured.err and len(captured.err.splitlines()) == 1 and captured.out == ""
    assert not Path("out").exists()


@pytest.mark.usefixtures("faces")
def test_other_settings_in_the_same_folder_are_refused_in_one_line(capsys: Capture) -> None:
    assert cli.run(command()) == 0
    capsys.readouterr()
    assert cli.run(command("--negative", "0.25")) == 2
    captured = capsys.readouterr().err
    assert "out: was begun with negative_iou 0.3, not 0.25" in captured and len(captured.splitlines()) == 1


def test_a_full_disk_is_one_line_that_names_the_file(
    faces: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ligera.deploy.mining import picture_work

    def full(path: Path, content: bytes, unfinished: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(picture_work, "write_unforced", full)
    assert cli.run(command()) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("ligera: out/pictures/") and captured.endswith(".npz: no space left on the disk\n")
    monkeypatch.undo()
    monkeypatch.chdir(faces.parent)
    assert cli.run(command()) == 0


def wait_for(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX's")
def test_an_interrupt_is_one_line_exit_code_130_and_can_be_gone_on_from(faces: Path, capsys: Capture) -> None:
    lines = (faces / "label.txt").read_text()
    for number in range(6, 200):
        shutil.copy(faces / "images" / "0.png", faces / "images" / f"{number}.png")
        lines += f"# {number}.png\n10 16 28 28\n"
    (faces / "label.txt").write_text(lines)
    process = subprocess.Popen(
        [sys.executable, "-m", "ligera.cli", *command("--engine", "threads", "--workers", "2")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert wait_for(lambda: sum(1 for _ in Path("out/pictures").rglob("*.npz")) > 3)
    os.killpg(process.pid, signal.SIGINT)
    output, trouble = process.communicate(timeout=60)
    assert (process.returncode, output, trouble) == (130, "", "ligera: interrupted\n")
    assert not Path("out/mined.json").exists()
    assert cli.run(command()) == 0
    assert "of 200 pictures had been mined before" in capsys.readouterr().out
