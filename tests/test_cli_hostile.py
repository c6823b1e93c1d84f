"""What strangers' files and unlucky places may do to commands: nothing that a user would have to undo."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera import cli
from ligera.commands.terminal import quiet_libraries
from ligera.deploy import video
from ligera.deploy.bundle import BundleCard
from ligera.errors import DataError, RecipeError
from ligera.records import Decoding, Preprocess

Write = Callable[..., Path]
Capture = pytest.CaptureFixture[str]

RECIPE = "name: small\nmodel: face-small\ndata: [{path: data}]\nside_px: 64\nsamples_per_epoch: 4\nbatch: 2\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(recipe: str) -> int:
    Path("recipe.yaml").write_text(recipe, encoding="utf-8")
    return cli.run(["train", "recipe.yaml", "--json"])


@pytest.mark.parametrize("source", ["photo.jpg", "."])
def test_a_result_never_takes_the_place_of_the_picture_it_is_of(
    source: str, bundle: Path, picture_file: Write, capsys: Capture
) -> None:
    content = picture_file("photo.jpg", (1, 1)).read_bytes()
    assert cli.run(["detect", source, "--model", str(bundle), "--out", "."]) == 2
    assert "would overwrite photo.jpg" in capsys.readouterr().err
    assert Path("photo.jpg").read_bytes() == content
    assert cli.run(["detect", source, "--model", str(bundle), "--out", "results"]) == 0


def test_a_name_cannot_clear_the_screen_or_pass_for_two_lines(
    bundle: Path, picture_file: Write, capsys: Capture
) -> None:
    name = "a\x1b[2J\nb.png"
    try:
        picture_file(name, (1, 1))
    except OSError:
        pytest.skip("this file system takes no such name")
    assert cli.run(["detect", name, "--model", str(bundle), "--out", "out"]) == 0
    assert r"a\x1b[2J\nb.png: 1 face" in capsys.readouterr().out.splitlines()[0]


def test_decoders_in_c_are_silent_and_python_is_not(capfd: Capture) -> None:
    with quiet_libraries():
        os.write(2, b"libpng error\n")
        print("ours", file=sys.stderr)
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "ours\nafter\n"


def test_for_debugging_decoders_are_heard(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    monkeypatch.setenv("LIGERA_DEBUG", "1")
    with quiet_libraries():
        os.write(2, b"libpng error\n")
    assert capfd.readouterr().err == "libpng error\n"


def test_a_command_says_what_it_has_to_say_while_decoders_are_silent(bundle: Path) -> None:
    Path("a.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    command = [sys.executable, "-m", "ligera.cli", "detect", "a.png", "--model", str(bundle), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert first.startswith("ligera: a.png: is truncated") and last == "0 faces in 0 pictures, 1 failed"


def test_detecting_leaves_nothing_in_the_home_of_its_user(bundle: Path, picture_file: Write, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    photo = picture_file("photo.png", (1, 1))
    # ONNX Runtime keeps an identifier there and reports to its maker, but not where it believes itself to be tested
    plain = {
        name: value for name, value in os.environ.items() if name != "CI" and not name.startswith(("ORT_", "XDG_"))
    }
    command = [sys.executable, "-m", "ligera.cli", "detect", str(photo), "--model", str(bundle), "--json"]
    done = subprocess.run(command, env={**plain, "HOME": str(home)}, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["detections"]
    assert list(home.rglob("*")) == []


def test_a_picture_behind_a_video_name_with_a_pattern_in_it_is_not_a_series(
    bundle: Path, picture_file: Write, capfd: Capture
) -> None:
    content = picture_file("photo.jpg", (1, 1)).read_bytes()
    Path("shot-%d.avi").write_bytes(b"no video")
    for name in ("shot-1.avi", "shot-2.avi"):
        Path(name).write_bytes(content)
    assert cli.run(["detect", "shot-%d.avi", "--model", str(bundle), "--json"]) == 2
    (row,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert row["path"] == "shot-%d.avi" and "error" in row


def test_a_video_that_the_disk_cut_short_is_an_error_and_not_left_behind(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (128, 96))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    writer.write(np.full((96, 128, 3), 255, np.uint8))
    writer.release()
    count = video._frame_count

    def cut_short(written: Path) -> int:
        written.write_bytes(written.read_bytes()[:100])
        return count(written)

    monkeypatch.setattr(video, "_frame_count", cut_short)
    assert cli.run(["detect", "clip.avi", "--model", str(bundle), "--out", "out"]) == 2
    assert "clip.mp4: the video could not be written whole" in capsys.readouterr().err
    assert sorted(file.name for file in Path("out").iterdir()) == ["detections.jsonl"]


@pytest.mark.parametrize(
    "rule",
    [
        {"fixed": (10**6, 10**6)},
        {"fixed": (-5, 64)},
        {"min_side": 10**6, "max_side": 10**6},
        {"multiple": 10**6},
        {"mean": (float("nan"), 0, 0)},
    ],
)
def test_a_card_cannot_ask_for_all_the_memory_there_is(rule: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="preprocess: expected"):
        BundleCard("face", Preprocess(**rule), Decoding())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1" + "0" * 30, "seed: input should be less than"),
        ("threads: 1" + "0" * 30, "threads: input should be less than"),
        ("learning_rate: 1e300", "learning_rate: input should be less than"),
        ("augment: {fill: 999}", "augment: fill: expected 0 to 255, got 999"),
        ("augment: {crop_ratios: [1.0e+300]}", "augment: crop_ratios: expected"),
        ("data: [{path: data, weights: {a: -1}}]", "data.0.weights.a: input should be greater than or equal to 0"),
    ],
)
def test_a_recipe_of_the_right_types_and_absurd_values_is_refused(text: str, message: str, capsys: Capture) -> None:
    key = text.partition(":")[0]
    kept = [line for line in RECIPE.splitlines() if not line.startswith(f"{key}:")]
    assert train("\n".join([*kept, text])) == 2
    assert message in capsys.readouterr().err


def test_a_recipe_as_long_as_a_book_is_not_read(capsys: Capture) -> None:
    assert train("#" * 300_000) == 2
    assert "longer than 256 KiB" in capsys.readouterr().err


@pytest.fixture
def one_face(picture_file: Write) -> None:
    for name in "ab":
        picture_file(f"data/{name}.png", (1, 1))
    Path("data/label.txt").write_text("# a.png\n32 32 32 32\n# b.png\n32 32 32 32\n")


@pytest.mark.usefixtures("one_face")
def test_a_batch_larger_than_an_epoch_is_refused_as_it_would_train_nothing(capsys: Capture) -> None:
    assert train(RECIPE.replace("batch: 2", "batch: 5")) == 2
    assert "batch: 5 is more than the 4 samples of an epoch" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.usefixtures("one_face")
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    from ligera.train import run
    from ligera.train.faces.task import FaceTask
    from ligera.train.reading import read_recipe

    Path("recipe.yaml").write_text(RECIPE + "workers: 0\nepochs: 2\n")
    sound, steps = FaceTask.loss, []

    def loss(self: FaceTask, *arguments: object) -> object:
        losses = sound(self, *arguments)  # type: ignore[arg-type]
        steps.append(1)
        factor = float("nan") if len(steps) == 4 else 1
        return replace(losses, parts={name: part * factor for name, part in losses.parts.items()})

    monkeypatch.setattr(FaceTask, "loss", loss)
    with pytest.raises(RecipeError, match="no finite number any more at step 2 of epoch 2"):
        run.start(read_recipe(Path("recipe.yaml")), Path("runs"))
    (row,) = map(json.loads, Path("runs/train/small/history.jsonl").read_text().splitlines())
    assert row["epoch"] == 1


def test_a_checkpoint_that_the_disk_cannot_hold_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from ligera.train.checkpoint import save_checkpoint

    def full(_state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("unexpected pos 187200 vs 187096")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match=r"checkpoint\.pt: could not be written whole"):
        save_checkpoint(tmp_path, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("one_face")
def test_a_checkpoint_of_another_network_cannot_be_resumed(capsys: Capture) -> None:
    assert train(RECIPE + "workers: 0\nepochs: 1\n") == 0
    folder = Path(json.loads(capsys.readouterr().out)["folder"])
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("model: face-small", "model: face"))
    assert cli.run(["train", "--resume", str(folder)]) == 2
    assert "checkpoint is not one of its recipe" in capsys.readouterr().err


def test_an_interrupt_is_named_whatever_was_running(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ligera.data.check.check", interrupted)
    assert cli.run(["data", "check", "."]) == 130
    assert capsys.readouterr().err == "ligera: interrupted\n"
