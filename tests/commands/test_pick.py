"""``ligera pick`` and the gates of ``ligera bench``: what is printed, what is written, and the exit codes."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ligera.cli import run
from ligera.deploy.pick import measuring

from ..deploy.spot_sets import write_label_set


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    """A cache of its own and short measurements for all tests here."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name, value in {"VISITS": 2, "ROUNDS": 1, "TIMED_PICTURES": 2, "MOST_REPEATED": 0}.items():
            patch.setattr(measuring, name, value)
        write_label_set(folder / "data")
        yield folder


def pick(home: Path, bundle: Path, *more: object) -> int:
    fixed = ["--data", home / "data", "--model", bundle, "--no-builtin", "--size", 128, "--runtime", "onnxruntime"]
    return run(["pick", "faces", *map(str, [*fixed, "--threads", 1, *more])])


def test_a_pick_prints_its_answer_and_writes_model_page_json_and_picture(
    home: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pick(home, bundle, "--max-ms", 60_000, "-o", tmp_path / "run") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("spots at 128 px, fp32, onnxruntime, 1 thread: AP50 0.") and "why: " in shown
    *_, where, use = shown.splitlines()
    assert where == f"-> {tmp_path / 'run'}"
    assert use.startswith(f"use it: ligera detect PICTURE --model {tmp_path / 'run' / 'spots.onnx'} --max-side 128")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"spots.onnx", "report.html", "report.json", "pareto.png"}
    assert (tmp_path / "run" / "spots.onnx").read_bytes() == bundle.read_bytes()


def test_json_is_all_there_is_on_standard_output(
    home: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pick(home, bundle, "--max-ms", 60_000, "--json", "-o", tmp_path / "run") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["winner"]["name"] == "spots" and row["budget"]["max_ms"] == 60_000


def test_a_budget_that_nothing_fits_exits_with_4_and_says_which_would(
    home: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pick(home, bundle, "--max-ms", 0.001, "-o", tmp_path / "run") == 4
    shown = capsys.readouterr().out
    assert "Nothing fits the budget (p95 within 0.001 ms)" in shown and "this would: --max-ms" in shown
    assert json.loads((tmp_path / "run" / "report.json").read_text())["winner"] is None
    assert not (tmp_path / "run" / "spots.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pick", "fases", "--data", "x"], "no task 'fases' to pick a model for; did you mean 'faces'"),
        (["pick", "faces", "--data", "x", "--max-ms", "0"], "--max-ms: expected a number above 0, got 0"),
        (["pick", "faces", "--data", "x", "--max-ms", "nan"], "--max-ms: expected a number above 0, got nan"),
        (["pick", "faces", "--data", "x", "--max-mb", "-2"], "--max-mb: expected a number above 0, got -2"),
        (["pick", "faces", "--data", "no/such/folder"], "no/such/folder: no such file or folder"),
        (["pick", "faces", "--data", "x", "--train", "y"], "--train: is for --include-search"),
        (["pick", "faces", "--data", "x", "--max-ms", "1", "--include-search", "30"], "such as 30m, 1h30m or 90s"),
        (["pick", "faces", "--data", "x", "--include-search", "30m"], "searches for a time; add --max-ms"),
        (["pick", "pages", "--data", "x", "--max-ms", "1", "--include-search", "1m"], "searches face detectors, not"),
        (["pick", "faces", "--data", "x", "--max-ms", "1", "--include-search", "1m"], "add --train DIR"),
        (["pick", "faces", "--data", "x", "--precision", "int4"], "--precision: there is no 'int4'; did you mean"),
        (["pick", "faces", "--data", "x", "--precision", "int8"], "add --calibrate DIR"),
        (["pick", "faces", "--data", "x", "--calibration", "maxmin", "--calibrate", "y"], "there is no 'maxmin'"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    caught = capsys.readouterr()
    assert said in caught.err and caught.err.count("\n") == 1 and caught.out == ""


def test_a_run_folder_that_cannot_be_is_told_at_once(
    home: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert pick(home, bundle, "-o", tmp_path / "file" / "run") == 2
    assert "cannot be written to" in capsys.readouterr().err


def bench(bundle: Path, *more: object) -> int:
    options = ["--runs", 10, "--size", "96x64", "--threads", 1, "--force"]
    return run(["bench", *map(str, [bundle, *options, *more])])


def test_gates_that_hold_are_said_and_exit_with_0(home: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = "p95<60s,size<5MB,ap>10%,ap_drop<1"
    assert bench(bundle, "--vs", bundle, "--data", home / "data", "--gate", "p95<60s,size<5MB,ap>10%") == 0
    assert "all gates hold: p95<60s, size<5MB, ap>10%" in capsys.readouterr().out
    assert gates.startswith("p95")


def test_each_broken_gate_is_a_line_and_the_exit_code_4(
    home: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = bench(bundle, "--vs", "haar", "--data", home / "data", "--gate", "p95<1us,ap_drop<1,ap>99%", "--json")
    caught = capsys.readouterr()
    verdicts = {row["gate"]: row["held"] for row in json.loads(caught.out)["gates"]}
    assert code == 4 and verdicts["p95<1us"] is False and verdicts["ap>99%"] is False
    assert verdicts["ap_drop<1"] is True, "ours is better than a detector that finds nothing here"
    assert caught.err.count("broken: ") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gate", "ap>0.5"], "ap and ap_drop need labelled pictures; add --data DIR"),
        (["--gate", "ap_drop<1", "--data", "x"], "compare with another model; add --vs MODEL"),
        (["--gate", "p95<8ms", "--data", "x"], "--data: is for the gates ap and ap_drop"),
        (["--data", "x"], "--data: is for the gates ap and ap_drop"),
        (["--gate", "soon"], "--gate soon: is no gate"),
    ],
)
def test_gates_that_cannot_be_judged_are_refused_before_anything_is_timed(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "no-such-model", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_search_needs_what_trains_and_other_pictures(
    home: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ("--max-ms", 0.001, "--include-search", "1s", "--train", home / "data")
    assert pick(home, bundle, *search) == 2
    assert "--train: 2 of its pictures are in" in capsys.readouterr().err
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    assert pick(home, bundle, *search) == 3
    assert "--include-search needs torch, which is not installed" in capsys.readouterr().err


def test_a_pick_loads_no_torch(home: Path, bundle: Path, tmp_path: Path) -> None:
    fixed = ["--data", home / "data", "--model", bundle, "--no-builtin", "--size", 128, "--runtime", "onnxruntime"]
    words = ["pick", "faces", *map(str, [*fixed, "--threads", 1, "--max-ms", 60_000, "-o", tmp_path / "run"])]
    script = f"from ligera.cli import run\nassert run({words!r}) == 0\nimport sys\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
