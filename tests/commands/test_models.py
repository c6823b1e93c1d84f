"""``ligera models`` from the outside: built-in bundles with their scores, nets with what they cost, kinds of peers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ligera import cli
from ligera.models import catalogue, layout_catalogue
from ligera.models.layout_summary import summarize_layout
from ligera.models.summary import summarize

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def one_built_in(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose only built-in model is ``spots``."""
    monkeypatch.setattr("ligera.deploy.builtin._folder", lambda: tmp_path)
    return Path(shutil.copy(bundle, tmp_path / "spots.onnx"))


@pytest.fixture
def few_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue with two small nets, as counting all takes a while."""
    small = {name: catalogue.DETECTORS[name] for name in ("face-small", "RetinaFace-mobile0.25")}
    monkeypatch.setattr(catalogue, "DETECTORS", small)
    smallest = {"layout-small": layout_catalogue.LAYOUT_DETECTORS["layout-small"]}
    monkeypatch.setattr(layout_catalogue, "LAYOUT_DETECTORS", smallest)


def test_json_tells_of_bundles_what_their_cards_say(one_built_in: Path, few_nets: None, capsys: Capture) -> None:
    assert cli.run(["models", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["builtin"]
    assert (row["name"], row["task"], row["size_bytes"]) == ("spots", "detect-faces", one_built_in.stat().st_size)
    assert (row["scores"], row["licence"]) == ({"AP50 (spots)": 1.0}, "CC0-1.0")


def test_json_tells_of_nets_what_the_counting_of_them_gives(few_nets: None, capsys: Capture) -> None:
    assert cli.run(["models", "--json", "--size", "64x96"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["catalogue"]}
    expected = summarize("face-small", (96, 64))
    row = rows["face-small"]
    assert (row["parameters"], row["macs"], row["priors"]) == (expected.parameters, expected.macs, expected.priors)
    assert row["input_size"] == [96, 64]
    assert row["receptive_field_px"] == list(expected.receptive_field_px)


def test_json_tells_of_layout_detectors_what_a_page_of_their_size_costs(few_nets: None, capsys: Capture) -> None:
    assert cli.run(["models", "--json", "--size", "64x64"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["layouts"]
    expected = summarize_layout("layout-small", (768, 512))
    assert (row["name"], row["input_size"]) == ("layout-small", [768, 512])
    assert (row["parameters"], row["macs"]) == (expected.parameters, expected.macs)


def test_a_person_reads_four_tables(one_built_in: Path, few_nets: None, capsys: Capture) -> None:
    assert cli.run(["models", "--size", "64x64"]) == 0
    text = capsys.readouterr().out
    assert "spots: AP50 (spots) 1.000" in text
    parameters = f"{summarize('RetinaFace-mobile0.25', (64, 64)).parameters:,}"
    assert any(line.startswith("RetinaFace-mobile0.25") and parameters in line for line in text.splitlines())
    assert any(line.startswith("layout-small") and line.endswith("768x512") for line in text.splitlines())
    assert "yunet" in text and "KIND:FILE" in text


@pytest.mark.parametrize("size", ["64", "0x0", "100x100"])
def test_a_size_that_no_net_takes_is_refused(size: str, few_nets: None, capsys: Capture) -> None:
    assert cli.run(["models", "--size", size]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and f"--size {size}: expected" in captured.err
