"""``ligera augment`` from the outside: totals, exit codes, interrupts and kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ligera import cli

PictureFile = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def photos(tmp_path: Path, picture_file: PictureFile, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(3):
        picture_file(f"photos/{number}.png", (number, 1))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def command(bundle: Path, *words: str) -> list[str]:
    return ["augment", "photos", "--model", str(bundle), "--per-picture", "2", *words]


@pytest.mark.usefixtures("photos")
def test_it_says_what_there_is_and_where(bundle: Path, capsys: Capture) -> None:
    assert cli.run(command(bundle)) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("6 pictures with ") and last.endswith("-> runs/augment/photos")
    assert cli.run(["data", "check", "runs/augment/photos"]) == 0
    assert json.loads(Path("runs/augment/photos/run.json").read_text())["stage_s"].keys() >= {"detect", "vary"}


@pytest.mark.usefixtures("photos")
def test_json_is_all_that_stands_on_standard_output(bundle: Path, capsys: Capture) -> None:
    assert cli.run(command(bundle, "--json", "--engine", "threads", "--workers", "2", "--out", "out")) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["folder"], report["sources"], report["pictures"], report["engine"]) == ("out", 3, 6, "threads")
    assert report["failed"] == [] and report["without_faces"] == 0


@pytest.mark.usefixtures("photos")
def test_the_same_command_again_does_nothing_twice(bundle: Path, capsys: Capture) -> None:
    assert cli.run(command(bundle)) == 0
    capsys.readouterr()
    assert cli.run(command(bundle)) == 0
    assert "3 of 3 pictures had been done before" in capsys.readouterr().out
    assert cli.run(command(bundle, "--seed", "1")) == 0
    assert sorted(path.name for path in Path("runs/augment").iterdir()) == ["photos", "photos-2"]


def test_a_broken_picture_is_named_and_the_exit_code_says_so(photos: Path, bundle: Path, capsys: Capture) -> None:
    (photos / "broken.jpg").write_bytes(b"nothing")
    assert cli.run(command(bundle, "--json")) == 2
    captured = capsys.readouterr()
    assert "broken.jpg" in captured.err and len(captured.err.splitlines()) == 1
    (failed,) = json.loads(captured.out)["failed"]
    assert failed["path"].endswith("broken.jpg")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--engine", "treads"), "did you mean 'threads'"),
        (("--workers", "5000"), "workers: expected 1 to"),
        (("--per-picture", "0"), "per picture: expected"),
        (("--score", "7"), "score: expected"),
        (("--rotation", "nan"), "rotation_deg: expected"),
        (("--model", "fase"), "did you mean 'face'"),
        (("--out", "photos/out"), "choose a folder elsewhere"),
        (("--out", "photos/0.png"), "0.png"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_no_folder(
    words: tuple[str, ...], complaint: str, bundle: Path, capsys: Capture
) -> None:
    assert cli.run(command(bundle, *words)) == 2
    captured = capsys.readouterr()
    assert complaint in captured.err and len(captured.err.splitlines()) == 1 and captured.out == ""
    assert not Path("runs").exists()


@pytest.mark.parametrize("source", ["nowhere", "empty"])
def test_no_pictures_are_an_error(source: str, photos: Path, bundle: Path, capsys: Capture) -> None:
    (photos.parent / "empty").mkdir()
    assert cli.run(["augment", source, "--model", str(bundle)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not Path("runs").exists()


def test_pictures_without_any_face_are_told(
    tmp_path: Path, picture_file: PictureFile, bundle: Path, capsys: Capture
) -> None:
    source = picture_file("dark/a.png").parent
    arguments = ["augment", str(source), "--model", str(bundle), "--out", str(tmp_path / "out")]
    assert cli.run(arguments) == 2
    assert "no face was found in 1 picture" in capsys.readouterr().err


def started(bundle: Path, engine: str, per_picture: int) -> subprocess.Popen:
    arguments = ["augment", "photos", "-m", str(bundle), "--out", "out", "--engine", engine, "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "ligera.cli", *arguments, "--per-picture", str(per_picture)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return False


def written() -> int:
    return sum(1 for _ in Path("out/images").glob("*.jpg"))


def group_is_gone(process: subprocess.Popen) -> bool:
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def many_photos(photos: Path) -> Path:
    for number in range(3, 30):
        (photos / f"{number}.png").write_bytes((photos / f"{number % 3}.png").read_bytes())
    return photos


posix = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX's")


@posix
@pytest.mark.usefixtures("many_photos")
@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_an_interrupt_is_one_line_exit_code_130_and_nobody_left(engine: str, bundle: Path) -> None:
    process = started(bundle, engine, per_picture=200)
    assert wait_for(lambda: written() > 3)
    os.killpg(process.pid, signal.SIGINT)
    output, trouble = process.communicate(timeout=60)
    assert (process.returncode, output, trouble) == (130, "", "ligera: interrupted\n")
    assert wait_for(lambda: group_is_gone(process))
    assert not Path("out/label.txt").exists()


def digest() -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in Path("out").rglob("*") if p.is_file() and p.name != "run.json"}


@posix
@pytest.mark.usefixtures("many_photos")
def test_killed_again_and_again_it_ends_with_the_same_bytes(bundle: Path, capsys: Capture) -> None:
    for engine, enough in (("processes", 10), ("threads", 150)):
        process = started(bundle, engine, per_picture=20)
        assert wait_for(lambda enough=enough: written() >= enough)
        process.kill()
        process.communicate()
        assert wait_for(lambda process=process: group_is_gone(process))
        assert not Path("out/label.txt").exists()
    done = len(Path("out/progress.jsonl").read_text().splitlines()) - 1
    whole = ["augment", "photos", "-m", str(bundle), "--out", "out", "--per-picture", "20"]
    assert cli.run([*whole, "--engine", "async"]) == 0
    assert f"{done} of 30 pictures had been done before" in capsys.readouterr().out
    resumed = digest()
    shutil.rmtree("out")
    assert cli.run([*whole, "--engine", "sequential"]) == 0
    assert digest() == resumed
