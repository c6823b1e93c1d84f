"""Every example runs as its user would run it, and says what it is there to say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name != "drawn.py")
# What each of them must say, and what it must leave behind, where it leaves anything.
SAID = {
    "bench.py": ("face-small: p50", ""),
    "classify.py": ("red/0.png is ", "colours.onnx"),
    "cost.py": ("wall_s ", "cost.json"),
    "detect.py": ("8 faces in people.jpg", "faces.jpg"),
    "enroll.py": ("one.onnx knows one, unknown", "one.onnx"),
    "evaluate.py": ("AP50 ", "label.txt"),
    "layout.py": ("staff", "page.png"),
    "mine.py": ("negative", "crops/mined.json"),
    "pick.py": ("face-small at 96 px, fp32, onnxruntime, 1 thread: AP50 ", "report/report.html"),
    "precision.py": ("kB in int8", "small-int8.onnx"),
    "search.py": ("train it: ligera train", "search/mini/found.yaml"),
    "train_faces.py": ("discs.onnx finds ", "discs.onnx"),
}


def test_every_example_is_run_here() -> None:
    assert sorted(SAID) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_runs_and_says_what_it_shows(script: str, tmp_path: Path) -> None:
    words, left = SAID[script]
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, tmp_path],
        cwd=tmp_path,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert words in done.stdout and "Traceback" not in done.stderr
    assert (tmp_path / left).exists()


def test_the_list_of_examples_names_them_all() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert all(f"`{script}`" in listed for script in SCRIPTS)
