"""``ligera detect`` from the outside: what is printed, written and returned, and what goes wrong in one line."""

import errno
import json
import os
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
from ligera.deploy.detector import Detector
from ligera.deploy.results import ResultFolder
from ligera.errors import ModelError

Write = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def detect(*arguments: object) -> int:
    return cli.run(["detect", *(str(argument) for argument in arguments)])


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ligera.cli", "detect", *(str(argument) for argument in arguments)]


def test_without_options_a_fresh_run_folder_holds_everything(
    bundle: Path, picture_file: Write, capsys: Capture
) -> None:
    photo = picture_file("photo.png", (1, 1), (3, 0))
    assert detect(photo, "--model", bundle) == 0
    assert detect(photo, "--model", bundle) == 0
    files = {file.name for file in Path("runs/detect/photo").iterdir()}
    assert files == {"photo.jpg", "detections.jsonl", "run.json"}
    assert Path("runs/detect/photo-2").is_dir()
    out = capsys.readouterr().out
    assert "photo.png: 2 faces" in out and "-> runs/detect/photo-2" in out
    record = json.loads(Path("runs/detect/photo/run.json").read_text())
    assert (record["pictures"], record["detections"], record["model"]) == (1, 2, str(bundle))


def test_json_is_the_only_thing_on_standard_output_and_nothing_is_written(
    bundle: Path, picture_file: Write, capsys: Capture, tmp_path: Path
) -> None:
    photo = picture_file("photo.png", (1, 1))
    assert detect(photo, "--model", bundle, "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [sorted(row) for row in rows] == [["detections", "height", "path", "width"]]
    assert rows[0]["detections"][0]["box"] == [32.0, 32.0, 64.0, 64.0]
    assert len(rows[0]["detections"][0]["landmarks"]) == 5
    assert not (tmp_path / "runs").exists()


def test_rows_in_the_folder_equal_those_on_standard_output(bundle: Path, picture_file: Write, capsys: Capture) -> None:
    photo = picture_file("photo.png", (2, 2))
    assert detect(photo, "--model", bundle, "--json", "--out", "here") == 0
    assert capsys.readouterr().out == Path("here/detections.jsonl").read_text()


def test_one_bad_picture_among_many_has_its_row_and_the_code_is_2_at_the_end(
    bundle: Path, picture_file: Write, capsys: Capture
) -> None:
    picture_file("in/a.png", (0, 0))
    Path("in/b.jpg").write_bytes(b"\xff\xd8 no picture")
    picture_file("in/c.png", (0, 0), (2, 1))
    assert detect("in", "--model", bundle, "--json", "--out", "out") == 2
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [len(row.get("detections", [])) for row in rows] == [1, 0, 2]
    assert "b.jpg" in rows[1]["error"] and "b.jpg" in captured.err
    assert Path("out/a.jpg").is_file() and not Path("out/b.jpg").exists()


def test_score_max_side_and_tile_reach_the_detector(bundle: Path, picture_file: Write, capsys: Capture) -> None:
    photo = picture_file("photo.png", (40, 3), width=1600, height=128)

    def count(*options: object) -> int:
        detect(photo, "--model", bundle, "--json", *options)
        return len(json.loads(capsys.readouterr().out)["detections"])

    assert count() == 0
    assert count("--max-side", 1600) == 1
    assert count("--tile", 256) == 1
    assert count("--score", 0) > 10


def test_crops_of_each_face_are_saved_on_request(bundle: Path, picture_file: Write) -> None:
    photo = picture_file("photo.png", (1, 1), (3, 0))
    assert detect(photo, "--model", bundle, "--save-crops", "--out", "out") == 0
    assert sorted(file.name for file in Path("out/crops").iterdir()) == ["photo-1.jpg", "photo-2.jpg"]


def test_a_picture_comes_in_by_standard_input(bundle: Path, picture_file: Write) -> None:
    content = picture_file("photo.png", (1, 2)).read_bytes()
    done = subprocess.run(command("-", "--model", bundle, "--json"), input=content, capture_output=True, check=True)
    row = json.loads(done.stdout)
    assert (row["path"], len(row["detections"])) == ("-", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jpg"], "nowhere.jpg"),
        (["photo.png", "--model", "none.onnx"], "none.onnx: no such model file"),
        (["photo.png", "--model", "notaname"], "'notaname': no such file and no built-in model"),
        (["photo.png", "--runtime", "magic"], "no runtime is called 'magic'"),
        (["empty"], "no pictures there"),
    ],
)
def test_what_goes_wrong_is_one_line_with_code_2(
    arguments: list[str], message: str, bundle: Path, picture_file: Write, capsys: Capture
) -> None:
    picture_file("photo.png")
    Path("empty").mkdir()
    model = [] if "--model" in arguments else ["--model", str(bundle)]
    assert detect(*arguments, *model) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1 and message in captured.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("option", [["--score", "7"], ["--max-side", "none"], ["--colour", "red"], []])
def test_usage_errors_have_code_2(option: list[str], capsys: Capture) -> None:
    assert detect(*option, *(["a.jpg"] if option else [])) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_package_has_code_3(picture_file: Write, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    assert detect(picture_file(), "--model", "dlib") == 3
    assert "pip install" in capsys.readouterr().err


def raising(error: BaseException) -> Callable[..., None]:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    return fail


def test_a_bug_has_code_1_and_asks_to_be_reported(
    bundle: Path, picture_file: Write, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(Detector, "detect", raising(RuntimeError("surprise")))
    assert detect(picture_file(), "--model", bundle) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "RuntimeError: surprise" in line and "report" in line and "LIGERA_DEBUG=1" in line
    monkeypatch.setenv("LIGERA_DEBUG", "1")
    assert detect(picture_file(), "--model", bundle) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_that_a_package_turned_into_its_own_error_is_one_still(
    bundle: Path, picture_file: Write, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    wrapped = ImportError("numpy failed to load")
    wrapped.__cause__ = KeyboardInterrupt()
    monkeypatch.setattr(Detector, "detect", raising(wrapped))
    assert detect(picture_file(), "--model", bundle) == 130
    assert capsys.readouterr().err == "ligera: interrupted\n"


def test_a_full_disk_is_one_line_with_code_2(
    bundle: Path, picture_file: Write, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(ResultFolder, "add", raising(OSError(errno.ENOSPC, "No space left on device", "runs/x")))
    assert detect(picture_file(), "--model", bundle) == 2
    assert capsys.readouterr().err == "ligera: runs/x: no space left on the disk\n"


def test_an_interrupt_keeps_what_was_found_and_has_code_130(
    bundle: Path, picture_file: Write, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name in "abc":
        picture_file(f"in/{name}.png", (0, 0))
    plain, seen = Detector.detect, []

    def interrupted(self: Detector, *args: object, **options: object) -> object:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return plain(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "detect", interrupted)
    assert detect("in", "--model", bundle, "--out", "out") == 130
    assert len(Path("out/detections.jsonl").read_text().splitlines()) == 1
    assert Path("out/a.jpg").is_file()
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_a_real_interrupt_ends_a_waiting_command(bundle: Path) -> None:
    running = subprocess.Popen(command("-", "--model", bundle), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        # the run folder is the last thing it makes before it waits for standard input
        while not Path("runs/detect/stdin").is_dir() and running.poll() is None:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, err.decode()
    assert b"Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise on Windows")
def test_a_reader_that_leaves_early_is_no_error(bundle: Path, picture_file: Write) -> None:
    for number in range(40):
        picture_file(f"in/{number}.png", *((c, r) for c in range(4) for r in range(3)))
    running = subprocess.Popen(
        command("in", "--model", bundle, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None and running.stderr is not None
    assert json.loads(running.stdout.readline())["detections"]
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    assert running.wait(60) == 0
    assert b"Traceback" not in err and b"Broken" not in err


def test_a_video_becomes_rows_and_a_video(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (128, 96))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for _ in range(4):
        writer.write(np.full((96, 128, 3), 255, np.uint8))
    writer.release()
    assert detect("clip.avi", "--model", bundle) == 0
    rows = [json.loads(line) for line in Path("runs/detect/clip/detections.jsonl").read_text().splitlines()]
    assert [(row["path"], row["frame"]) for row in rows] == [("clip.avi", i) for i in range(4)]
    assert Path("runs/detect/clip/clip.mp4").stat().st_size > 0
    assert "clip.avi#3: 12 faces" in capsys.readouterr().out


def test_the_network_sleeps_between_the_frames_of_a_camera(
    bundle: Path, picture_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Camera:
        """Gives two black frames."""

        def __init__(self) -> None:
            self.left = 2

        def get(self, _prop: int) -> float:
            return 10.0

        def read(self) -> tuple[bool, np.ndarray]:
            self.left -= 1
            return self.left >= 0, np.zeros((64, 64, 3), np.uint8)

        def release(self) -> None:
            pass

    asked = []

    def load(model: Path, *, threads: int | None, runtime: str) -> Detector:
        asked.append(runtime)
        return real(model, threads=threads, runtime=runtime)

    real = Detector.load
    monkeypatch.setattr(Detector, "load", load)
    monkeypatch.setattr("ligera.deploy.sources.open_camera", lambda _name: Camera())
    assert detect("0", "--model", bundle, "--json") == 0
    assert detect(picture_file(), "--model", bundle, "--json") == 0
    assert asked == ["onnxruntime-sleeping", "onnxruntime"]


@pytest.mark.parametrize(("error", "code"), [(ModelError("spots: broke"), 2), (RuntimeError("surprise"), 1)])
def test_an_error_keeps_the_video_as_far_as_it_was_written(
    error: Exception, code: int, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (128, 96))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for _ in range(6):
        writer.write(np.full((96, 128, 3), 255, np.uint8))
    writer.release()
    plain, seen = Detector.detect, []

    def broken(self: Detector, *args: object, **options: object) -> object:
        seen.append(1)
        if len(seen) == 5:
            raise error
        return plain(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "detect", broken)
    assert detect("clip.avi", "--model", bundle, "--out", "out") == code
    assert len(Path("out/detections.jsonl").read_text().splitlines()) == 4
    capture = cv2.VideoCapture("out/clip.mp4")
    assert [capture.read()[0] for _ in range(5)] == [True] * 4 + [False]
    (line,) = capsys.readouterr().err.splitlines()
    assert str(error) in line


def test_names_that_are_no_text_go_through(bundle: Path, picture_file: Write) -> None:
    content = picture_file("photo.png", (1, 1)).read_bytes()
    name = os.fsdecode(b"odd-\xff.png")
    try:
        Path(name).write_bytes(content)
    except OSError:
        pytest.skip("this file system keeps only names that are text")
    done = subprocess.run(command(name, "--model", bundle), capture_output=True, check=True)
    assert b"1 face" in done.stdout
    done = subprocess.run(command(name, "--model", bundle, "--json"), capture_output=True, check=True)
    assert json.loads(done.stdout)["path"] == name
