"""A thousand inputs that nobody should have made: each ends in a result or in one clear line, never a bug or a hang.

Every number is one input, the same on every run: ``pytest tests/test_fuzz.py -k 'picture and 217'`` repeats one. What
comes out must be of the contract: exit code 0, 2 or 3, strict JSON and nothing else on standard output, and on standard
error lines for people, also from the C libraries underneath.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ligera import cli

from .fuzz import annotations, models, pictures, recipes

PICTURES, ANNOTATIONS, RECIPES, MODELS = 400, 250, 200, 150
LONGEST_LINE = 1_000  # characters: what an error quotes of its input is cut
MOST_PROBLEM_LINES = 25

pytestmark = pytest.mark.timeout(20)
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _chance(family: int, number: int) -> np.random.Generator:
    return np.random.default_rng([20, family, number])


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _run(arguments: list[str], capfd: Capture) -> tuple[int, list[Any], list[str]]:
    """Exit code, rows of JSON on standard output, lines on standard error; checked for what holds for every verb."""
    code = cli.run(arguments)
    out, err = capfd.readouterr()
    assert code in (0, 2, 3), err
    assert "Traceback" not in err
    lines = err.split("\n")[:-1]
    assert all(line.strip() and len(line) <= LONGEST_LINE for line in lines), err
    assert code == 0 or lines or out, "an error nobody is told of"
    return code, [json.loads(line, parse_constant=_refuse) for line in out.splitlines()], lines


def _check_detect(code: int, rows: list[Any], lines: list[str]) -> None:
    failed = [row for row in rows if "error" in row]
    assert all(len(row["detections"]) >= 0 for row in rows if "error" not in row)
    if rows:
        # a line for each picture that failed, and the totals
        assert len(lines) == len(failed) + 1
        assert code == (2 if failed else 0)
    else:
        assert code != 0 and len(lines) == 1


@pytest.mark.parametrize("number", range(PICTURES))
def test_a_hostile_picture_ends_in_detections_or_a_clear_line(
    number: int, bundle: Path, tmp_path: Path, capfd: Capture
) -> None:
    source = pictures.hostile_source(_chance(0, number), tmp_path)
    _check_detect(*_run(["detect", str(source), "--model", str(bundle), "--json"], capfd))


@pytest.mark.parametrize("number", range(ANNOTATIONS))
def test_a_hostile_annotation_ends_in_figures_or_a_clear_line(
    number: int, bundle: Path, tmp_path: Path, capfd: Capture
) -> None:
    code, rows, lines = _run(annotations.hostile_command(_chance(1, number), tmp_path, bundle), capfd)
    assert len(rows) == 1 or (code == 2 and len(lines) == 1)
    assert len(lines) <= MOST_PROBLEM_LINES


@pytest.mark.parametrize("number", range(RECIPES))
def test_a_hostile_recipe_is_refused_before_any_training(number: int, tmp_path: Path, capfd: Capture) -> None:
    code, rows, lines = _run(recipes.hostile_command(_chance(2, number), tmp_path), capfd)
    assert (code, rows, len(lines)) == (2, [], 1)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("number", range(MODELS))
def test_a_hostile_model_ends_in_detections_or_a_clear_line(
    number: int, bundle: Path, tmp_path: Path, capfd: Capture
) -> None:
    random = _chance(3, number)
    photo = np.full((96, 128, 3), 20, np.uint8)
    photo[32:64, 32:64] = 250
    cv2.imwrite("photo.png", photo)
    model = models.hostile_model(random, tmp_path, bundle)
    score = ["--score", "0"] if random.random() < 0.5 else []
    _check_detect(*_run(["detect", "photo.png", "--model", model, "--json", *score], capfd))
