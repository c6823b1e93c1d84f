"""The other verbs from the outside, and what the command line itself promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ligera import __version__, cli
from ligera.deploy.timing.bench import BenchReport, BenchRow
from ligera.meter.figure import Figure

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


FIGURE = Figure(2.5, "ms", "measured", "cpu", 2, 200, (2.4, 2.6))


def fake_bench(monkeypatch: pytest.MonkeyPatch, *reasons: str) -> None:
    figures = {"p50_ms": FIGURE, "overhead_share": Figure(None, "1", "unknown", "cpu", 2, 0)}
    row = BenchRow("folder/face.onnx", "onnxruntime", 1, figures)
    report = BenchReport((row,), None, 640, 480, "synthetic", "Some CPU", reasons)
    monkeypatch.setattr("ligera.deploy.timing.bench.bench", lambda *_args, **_options: report)


def test_bench_prints_every_figure_with_its_provenance(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    fake_bench(monkeypatch)
    assert cli.run(["bench", "face"]) == 0
    text = capsys.readouterr().out
    assert "2.50 (2.40-2.60)" in text and "unknown" in text
    assert "Some CPU, cpu, 2 threads, 200 runs" in text and "640x480 px (synthetic)" in text


def test_bench_withholds_the_figures_of_a_noisy_machine(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    fake_bench(monkeypatch, "other work kept 1.5 of 2 cores busy")
    assert cli.run(["bench", "face"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "too noisy to quote: other work kept 1.5 of 2 cores busy" in captured.err and "--force" in captured.err
    assert cli.run(["bench", "face", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["figures"] is None
    assert cli.run(["bench", "face", "--force"]) == 0
    assert "2.50" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["64", "64x", "axb", "0x0"])
def test_bench_refuses_a_size_that_is_none(size: str, bundle: Path, capsys: Capture) -> None:
    assert cli.run(["bench", str(bundle), "--size", size]) == 2
    assert "px" in capsys.readouterr().err
