"""The loop as a whole: it learns, and no kill or split into processes changes what it learns."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ligera.errors import DataError
from ligera.train.reading import parse_recipe, read_recipe
from ligera.train.run import resume, start

SCRIPT = """
import sys
from pathlib import Path
from ligera.train.reading import read_recipe
from ligera.train.run import resume, start
recipe, runs, overrides = Path(sys.argv[1]), Path(sys.argv[2]), tuple(sys.argv[3:])
if (runs / "train" / "tiny").is_dir():
    resume(runs / "train" / "tiny")
else:
    start(read_recipe(recipe, overrides), runs)
"""


def in_a_process(recipe: Path, runs: Path, *overrides: str, launcher: tuple[str, ...] = ()) -> subprocess.Popen:
    script = recipe.parent / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, *launcher, str(script), str(recipe), str(runs), *overrides]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(process: subprocess.Popen) -> None:
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output[-3000:]


def weights(runs: Path) -> dict[str, torch.Tensor]:
    return load_file(runs / "train" / "tiny" / "weights.safetensors")


def history(runs: Path) -> list[dict]:
    return [json.loads(line) for line in (runs / "train" / "tiny" / "history.jsonl").read_text().splitlines()]


def test_a_run_folder_holds_what_was_asked_and_what_came_out(recipe_file: Path, tmp_path: Path) -> None:
    rows: list[dict] = []
    recipe = read_recipe(recipe_file)
    result = start(recipe, tmp_path / "runs", rows.append)
    files = {path.name for path in result.folder.iterdir()}
    assert files == {
        "recipe.yaml",
        "environment.json",
        "card.json",
        "cost.json",
        "history.jsonl",
        "checkpoint.pt",
        "weights.safetensors",
        "result.json",
        "curves.png",
        "predictions.png",
    }
    assert read_recipe(result.folder / "recipe.yaml") == recipe
    assert len(history(tmp_path / "runs")) == recipe.epochs
    assert sum("row" in row for row in rows) == recipe.epochs
    assert start(recipe, tmp_path / "runs").folder.name == "tiny-2"


def test_it_learns_two_pictures_by_heart(recipe_values: dict, tmp_path: Path) -> None:
    steps = {
        "epochs": 1,
        "samples_per_epoch": 240,
        "batch": 4,
        "learning_rate": 0.004,
        "ema_decay": 0.9,
        "side_px": 160,
    }
    plain = {"augment": {"crop_ratios": [1.34], "mirror": 0, "colour": 0}, "warmup_steps": 5}
    result = start(parse_recipe(recipe_values | steps | plain, "test"), tmp_path)
    assert result.metrics["ap50"] > 0.8


@pytest.mark.parametrize("kill_after", ["first checkpoint", "mid-epoch"])
def test_a_killed_run_ends_in_the_same_weights_bit_for_bit(recipe_file: Path, tmp_path: Path, kill_after: str) -> None:
    overrides = ("epochs=3", "samples_per_epoch=24", "checkpoint_every_steps=5", "validation=null", "workers=1")
    finished(in_a_process(recipe_file, tmp_path / "whole", *overrides))
    runs = tmp_path / "killed"
    process = in_a_process(recipe_file, runs, *overrides)
    wanted = runs / "train" / "tiny" / ("checkpoint.pt" if kill_after == "first checkpoint" else "history.jsonl")
    deadline = time.monotonic() + 100
    while not wanted.is_file() or (kill_after == "mid-epoch" and not wanted.read_text()):
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished(in_a_process(recipe_file, runs))
    whole, killed = weights(tmp_path / "whole"), weights(runs)
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_two_processes_lose_the_same_as_one_with_the_same_global_batch(recipe_file: Path, tmp_path: Path) -> None:
    """Tolerance 2 % of each epoch's loss: sums run in another order, and six steps let the difference grow."""
    overrides = ("epochs=2", "samples_per_epoch=12", "batch=4", "validation=null")
    finished(in_a_process(recipe_file, tmp_path / "one", *overrides))
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone")
    finished(in_a_process(recipe_file, tmp_path / "two", *overrides, launcher=launcher))
    for one, two in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        for name in ("loss_score", "loss_box", "loss_landmark"):
            assert two[name] == pytest.approx(one[name], rel=0.02)


def test_resuming_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a training run"):
        resume(tmp_path)


def test_a_damaged_checkpoint_is_named(recipe_file: Path, tmp_path: Path) -> None:
    folder = start(read_recipe(recipe_file, ("epochs=1",)), tmp_path).folder
    (folder / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(DataError, match="damaged checkpoint"):
        resume(folder)


def test_weights_for_a_folder_that_is_not_there_are_refused_before_a_run_folder_exists(
    recipe_values: dict, tmp_path: Path
) -> None:
    recipe_values["data"][0]["weights"] = {"disks": 2.0}
    with pytest.raises(DataError, match="disks"):
        start(parse_recipe(recipe_values, "test"), tmp_path)
    assert not list(tmp_path.glob("train"))
