"""The other verbs from the outside, and what the command line itself promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ligera import __version__, cli

Capture = pytest.CaptureFixture[str]


def test_help_names_every_verb_and_a_typo_gets_the_nearest(capsys: Capture) -> None:
    assert cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in cli.VERBS)
    assert cli.run(["detct"]) == 2
    assert "detect" in capsys.readouterr().err


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help(verb: str, capsys: Capture) -> None:
    assert cli.run([verb, "--help"]) == 0
    assert f"ligera {verb}" in capsys.readouterr().out


def test_the_version_is_one_line(capsys: Capture) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"ligera {__version__}\n"


def test_the_entry_point_returns_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ligera.cli", "detect", "nowhere.jpg"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_doctor_says_what_is_there_and_what_to_install(capsys: Capture) -> None:
    assert cli.run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "onnxruntime" in text and "hardware" in text
    assert cli.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == __version__ and found["hardware"]["cores"] >= 1


def test_models_lists_networks_with_their_size(capsys: Capture) -> None:
    assert cli.run(["models", "--json", "--size", "64x64"]) == 0
    found = json.loads(capsys.readouterr().out)
    networks = {row["name"]: row for row in found["catalogue"]}
    assert networks["RetinaFace-mobile0.25"]["parameters"] > 400_000
    assert {row["kind"] for row in found["peers"]} >= {"yunet", "scrfd", "haar"}


def test_models_without_torch_lists_the_names_and_says_what_is_missing(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.run(["models"]) == 0
    captured = capsys.readouterr()
    assert "R12_V3_HS" in captured.out and "?" in captured.out
    assert "pip install 'ligera[train]'" in captured.err


def test_data_check_names_a_bad_line_and_has_code_2(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "label.txt").write_text("# a.jpg\n1 2 three 4\n")
    assert cli.run(["data", "check", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "label.txt:2: expected numbers, got 'three'" in captured.out
    assert "cannot be trained on" in captured.err
    assert cli.run(["data", "check", str(tmp_path), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False and found["missing"] == 1


def test_data_check_of_nothing_is_one_line(capsys: Capture) -> None:
    assert cli.run(["data", "check", "nowhere"]) == 2
    assert capsys.readouterr().err == "ligera: nowhere: no such file or folder\n"


def test_bench_prints_provenance_or_says_why_not(bundle: Path, capsys: Capture) -> None:
    arguments = ["bench", str(bundle), "--runs", "10", "--size", "64x64", "--threads", "1"]
    assert cli.run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # ten runs are one round, in which noise cannot be told, so nothing may be quoted
    assert found["quotable"] is False and "too few rounds" in found["reasons"][0]
    assert found["models"][0]["figures"] is None


def test_bench_shows_figures_of_a_noisy_machine_only_when_forced(bundle: Path, capsys: Capture) -> None:
    arguments = ["bench", str(bundle), "--runs", "10", "--size", "64x64", "--force"]
    assert cli.run(arguments) == 0
    captured = capsys.readouterr()
    assert "p50 ms" in captured.out and "threads" in captured.out
    assert "too noisy to quote" in captured.err


@pytest.mark.parametrize("size", ["64", "64x", "axb", "0x0"])
def test_bench_refuses_a_size_that_is_none(size: str, bundle: Path, capsys: Capture) -> None:
    assert cli.run(["bench", str(bundle), "--size", size]) == 2
    assert "px" in capsys.readouterr().err
