"""``ligera watch`` from the outside: what is printed, written and returned, and what goes wrong in one line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera import cli
from ligera.deploy import runtimes
from ligera.deploy.runtimes import Runtime
from ligera.deploy.video import VideoFile

from .deploy.watching.coloured import ANN, OTHER, write_film, write_recognizer_of_colours

Capture = pytest.CaptureFixture[str]
BOTH = {(1, 1): ANN, (3, 1): OTHER}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


@pytest.fixture
def ann(bundle: Path, tmp_path: Path) -> Path:
    return write_recognizer_of_colours(tmp_path / "ann.onnx", str(bundle))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.mp4", [BOTH] * 12)


def watch(*arguments: object) -> int:
    return cli.run(["watch", *(str(argument) for argument in arguments), "--threads", "1"])


def frames_in(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    return count


def test_a_person_is_named_by_the_name_they_were_enrolled_with(ann: Path, film: Path, capsys: Capture) -> None:
    assert watch(film, "--who", "ann") == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines() if line.startswith("#")]
    assert [(row[0], row[1], row[-1]) for row in rows] == [("#1", "ann", "1"), ("#2", "unknown", "1")]
    assert "12 frames in" in out and "2 tracks; 2 recognitions" in out and "median ms: read" in out
    assert err == "no window, as there is no display here (DISPLAY is not set); going on without one\n"


def test_json_is_one_line_for_each_frame_and_nothing_else_on_standard_output(
    ann: Path, film: Path, capsys: Capture
) -> None:
    assert watch(film, "--model", ann, "--json") == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["frame"] for row in rows] == list(range(12))
    assert [person["name"] for person in rows[-1]["people"]] == ["ann", "unknown"]
    assert rows[1]["events"][0] == {"event": "came", "track": 1, "name": None}
    assert {"read", "detect", "track", "recognise"} <= rows[1]["stages_ms"].keys()
    assert rows[5]["time_s"] == pytest.approx(0.5) and rows[5]["dropped"] == 0
    assert "12 frames in" in err and "no window" not in err


def test_every_frame_is_drawn_into_the_video(ann: Path, film: Path, capsys: Capture) -> None:
    assert watch(film, "--who", "ann", "--out", "made/drawn.mp4", "--no-window") == 0
    assert "2 recognitions -> made/drawn.mp4" in capsys.readouterr().out
    assert frames_in(Path("made/drawn.mp4")) == 12
    capture = cv2.VideoCapture("made/drawn.mp4")
    capture.set(cv2.CAP_PROP_POS_FRAMES, 8)
    drawn = capture.read()[1][:, :, ::-1]
    left = drawn[32:64, 31:34].reshape(-1, 3).mean(axis=0)
    # the frame of whom was asked for is green
    assert left[1] > left[0] + 15 and left[1] > left[2] + 15


def test_a_file_kept_to_its_own_pace_lasts_as_long_in_the_video(ann: Path, film: Path) -> None:
    assert watch(film, "--who", "ann", "--live", "--out", "live.mp4", "--json") == 0
    assert 1 <= frames_in(Path("live.mp4")) <= 12


@pytest.mark.parametrize(("pace", "opened"), [("--live", "onnxruntime-sleeping"), ("--every-frame", "onnxruntime")])
def test_the_networks_sleep_between_the_frames_of_a_live_feed_only(
    pace: str, opened: str, ann: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def open_runtime(path: Path, *, runtime: str, threads: int | None) -> Runtime:
        asked.append(runtime)
        return runtimes.open_runtime(path, runtime=runtime, threads=threads)

    monkeypatch.setattr("ligera.deploy.opening.open_runtime", open_runtime)
    assert watch(film, "--who", "ann", "--no-window", pace) == 0
    assert asked == [opened] * 2


def test_without_a_person_faces_are_only_followed(bundle: Path, film: Path, capsys: Capture) -> None:
    assert watch(film, "--detector", bundle) == 0
    out = capsys.readouterr().out
    assert "2 tracks\n" in out and "recognition" not in out and "#1     -" in out


def test_what_is_seen_is_said_once_a_second(
    ann: Path, film: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ligera.commands.watch.LINE_EVERY_S", 0)
    assert watch(film, "--who", "ann", "--no-window") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("0:0")]
    assert len(lines) == 12 and lines[-1].startswith("0:01.1  2 faces (ann, unknown)  ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.mp4"], "nowhere.mp4: no such video file"),
        (["97"], "97: cannot be opened as a camera"),
        (["torn.mp4"], "torn.mp4: cannot be opened as a video"),
        (["film.mp4", "--who", "anne"], "--who anne: no anne.onnx here; did you mean 'ann'?"),
        (["film.mp4", "--who", "bob", "--model", "ann.onnx"], "--who bob: not in ann.onnx; it knows ann"),
        (["film.mp4", "--model", "nothing.onnx"], "nothing.onnx"),
        (["film.mp4", "--model", "face"], "face: is a face detector, which runs with `ligera detect`"),
        (["film.mp4", "--model", "ann.onnx", "--detector", "layout"], "--detector layout: finds the regions of pages"),
        (["film.mp4", "--who", "ann", "--out", "film.mp4"], "--out film.mp4: is the video to watch"),
        (["film.mp4", "--who", "ann", "--out", "drawn.gif"], "--out drawn.gif: expected a file ending in .mp4"),
        (["film.mp4", "--who", "ann", "--window"], "--window: no window, as there is no display here"),
        (["film.mp4", "--who", "ann", "--runtime", "onnx"], "onnx"),
        (["."], ".: is a folder"),
    ],
)
def test_what_cannot_be_watched_ends_in_one_line(
    arguments: list[str], message: str, ann: Path, film: Path, capsys: Capture
) -> None:
    Path("torn.mp4").write_bytes(b"torn")
    before = film.read_bytes()
    assert watch(*arguments) == 2
    out, err = capsys.readouterr()
    assert message in err and len(err.strip().splitlines()) == 1 and out == ""
    assert film.read_bytes() == before


def test_a_video_cut_short_is_watched_as_far_as_it_goes_and_said(ann: Path, tmp_path: Path, capsys: Capture) -> None:
    whole = write_film(tmp_path / "whole.avi", [BOTH] * 60)
    Path("cut.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert watch("cut.avi", "--who", "ann", "--json", "--out", "drawn.mp4") == 2
    out, err = capsys.readouterr()
    rows = out.splitlines()
    assert 5 < len(rows) < 50 and frames_in(Path("drawn.mp4")) == len(rows)
    assert "cut.avi: damaged or cut short" in err and "of 6.0 s could be read" in err


def test_a_full_disk_is_one_line_and_what_fits_is_kept(
    ann: Path, film: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("drawn.mp4").write_bytes(b"before")
    monkeypatch.setattr("ligera.deploy.video.RESERVED_BYTES", 1 << 60)
    assert watch(film, "--who", "ann", "--no-window", "--out", "drawn.mp4") == 2
    assert "drawn.mp4: no space left on the disk; nothing was written" in capsys.readouterr().err
    assert Path("drawn.mp4").read_bytes() == b"before"


def test_an_interrupt_ends_the_video_whole(
    ann: Path, film: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = VideoFile.write

    def interrupted(video: VideoFile, pixels: np.ndarray, until_s: float | None = None) -> None:
        write(video, pixels, until_s)
        if video.frames == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(VideoFile, "write", interrupted)
    assert watch(film, "--who", "ann", "--no-window", "--out", "drawn.mp4") == 130
    out, err = capsys.readouterr()
    assert frames_in(Path("drawn.mp4")) == 5
    assert "-> drawn.mp4" in out and err == "ligera: interrupted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_real_ctrl_c_and_the_end_of_a_service_end_a_real_run_with_130(
    sent: signal.Signals, ann: Path, tmp_path: Path
) -> None:
    film = write_film(tmp_path / "long.mp4", [BOTH] * 600)
    command = [sys.executable, "-m", "ligera.cli", "watch", str(film), "--who", "ann", "--live", "--json"]
    command += ["--out", "drawn.mp4", "--threads", "1"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert json.loads(run.stdout.readline())["frame"] == 0
    run.send_signal(sent)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 130 and err.splitlines()[-1] == "ligera: interrupted"
    assert "Traceback" not in err and frames_in(Path("drawn.mp4")) >= 1


def test_a_reader_that_has_enough_ends_it_quietly_and_the_video_whole(ann: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "long.mp4", [BOTH] * 600)
    command = [sys.executable, "-m", "ligera.cli", "watch", str(film), "--who", "ann", "--json", "--threads", "1"]
    run = subprocess.Popen([*command, "--out", "d.mp4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.stderr is not None
    with run.stderr:
        assert run.stderr.read() == "" and run.wait(120) == 0
    assert 1 <= frames_in(Path("d.mp4")) < 600


def test_the_light_package_is_enough(ann: Path, film: Path) -> None:
    arguments = ["watch", str(film), "--who", "ann", "--out", "drawn.mp4", "--no-window"]
    code = f"import sys\nfrom ligera.cli import run\nassert run({arguments!r}) == 0\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {"torch", "torchvision", "timm", "onnx", "scipy", "matplotlib", "safetensors"}
