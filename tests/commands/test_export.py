"""``ligera export`` from the outside: a run becomes a bundle, and what it reports is what is in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ligera import cli
from ligera.deploy.detector import Detector

from ..deploy.export.run_folders import write_classifier_run, write_finished_run, write_recipe

Capture = pytest.CaptureFixture[str]


def test_a_run_becomes_a_bundle_and_json_says_what_is_in_it(tmp_path: Path, capsys: Capture) -> None:
    run, out = write_finished_run(tmp_path / "run"), tmp_path / "out" / "tiny.onnx"
    arguments = ["export", str(run), "-o", str(out), "--name", "mine", "--licence", "CC0-1.0", "--json"]
    assert cli.run(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["file"], found["size_bytes"]) == (str(out), out.stat().st_size)
    assert (found["name"], found["precision"], found["drop"]) == ("mine", "fp32", None)
    assert found["scores"]["AP50 masks on faces/val (native size, single scale)"] == 0.7
    with Detector.load(out, threads=1) as detector:
        card = detector.engine.card  # type: ignore[attr-defined]
    assert (card.name, card.licence, dict(card.scores)) == ("mine", "CC0-1.0", found["scores"])
    assert card.graph_sha256 == found["graph_sha256"]


def test_without_json_a_person_reads_size_parity_and_scores(tmp_path: Path, capsys: Capture) -> None:
    run, out = write_finished_run(tmp_path / "run"), tmp_path / "tiny.onnx"
    assert cli.run(["export", str(run), "-o", str(out)]) == 0
    text = capsys.readouterr().out
    assert f"{out}: tiny, {out.stat().st_size / 1e6:.2f} MB, fp32" in text
    assert "torch and ONNX Runtime differ by" in text
    assert "AP50 masks on faces/val (native size, single scale)  0.700" in text


def test_a_classification_run_becomes_a_bundle_that_classifies(tmp_path: Path, capsys: Capture) -> None:
    run, out = write_classifier_run(tmp_path / "run"), tmp_path / "pets.onnx"
    assert cli.run(["export", str(run), "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["scores"]["accuracy on sets/pets (test)"]) == ("pets", 0.9)
    picture = Path(__file__).parents[2] / "examples" / "people.jpg"
    assert cli.run(["classify", str(picture), "--model", str(out), "--json", "--threads", "1"]) == 0
    assert set(json.loads(capsys.readouterr().out)["scores"]) == {"cat", "dog", "Ünicorn"}


def test_a_run_without_its_class_card_is_one_line_and_leaves_no_file(tmp_path: Path, capsys: Capture) -> None:
    run = write_classifier_run(tmp_path / "run")
    (run / "card.json").unlink()
    assert cli.run(["export", str(run), "-o", str(tmp_path / "pets.onnx")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "card.json: cannot be read" in line
    assert not (tmp_path / "pets.onnx").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-o", "a.onnx", "--precision", "int8"], "--precision int8: needs pictures to calibrate on; add --calibrate"),
        (["-o", "a.onnx", "--precision", "fp23"], "--precision: there is no 'fp23'; did you mean 'fp32'"),
        (["-o", "a.onnx", "--gate-data", "."], "--calibrate and --gate-data are for other precisions than fp32"),
        (["-o", "a.pth", "--precision", "fp16"], "a.pth: expected a file ending in .onnx"),
        (["-o", "a.pth"], "a.pth: expected a file ending in .onnx"),
        (["-o", "a.onnx"], "holds neither weights.safetensors nor checkpoint.pt"),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_leaves_no_file(
    options: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_recipe(tmp_path / "run")
    assert cli.run(["export", "run", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err and len(captured.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_without_torch_the_extra_is_named(tmp_path: Path) -> None:
    run = write_finished_run(tmp_path / "run")
    arguments = ["export", str(run), "-o", str(tmp_path / "a.onnx")]
    script = f"import sys\nsys.modules['torch'] = None\nfrom ligera.cli import run\nsys.exit(run({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install 'ligera[train]'" in done.stderr and len(done.stderr.splitlines()) == 1
