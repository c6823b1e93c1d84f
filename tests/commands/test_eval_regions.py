"""``ligera eval`` of layout detectors from the outside: a row for each class, JSON, and options of other models."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera import cli
from ligera.data.coco_writing import write_coco
from ligera.data.regions import Page, PageSet, Region

from ..deploy.layout.pages import LABELS, drawn_page

Capture = pytest.CaptureFixture[str]


def evaluate(*arguments: object) -> int:
    return cli.run(["eval", *(str(argument) for argument in arguments), "--threads", "1"])


@pytest.fixture
def model(trained_pair: tuple[object, Path]) -> Path:
    return trained_pair[1]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The drawn page with the regions that the model learnt."""
    pixels, drawn = drawn_page()
    cv2.imwrite(str(tmp_path / "page.png"), pixels[:, :, ::-1])
    regions = []
    for key, (label, (x1, y1, x2, y2)) in enumerate(drawn, start=1):
        outline = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)
        regions.append(Region(LABELS[label - 1], (outline,), key=str(key)))
    page = Page("page.png", tmp_path / "page.png", pixels.shape[1], pixels.shape[0], tuple(regions), "1")
    write_coco(PageSet(tmp_path, (page,), LABELS), tmp_path / "annotations.json")
    return tmp_path


def test_the_table_has_a_row_for_each_class_and_the_protocol_below(model: Path, data: Path, capsys: Capture) -> None:
    assert evaluate(model, data, "--protocol", "coco") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("7 regions on 1 page")
    assert " ".join(lines[1].split()) == "class regions box AP AP50 AP75 APm APl mask AP AP50 AP75 APm APl"
    rows = {words[0]: words[1:] for words in (line.split() for line in lines[3:7])}
    assert list(rows) == [*LABELS, "all"]
    assert (rows["staff"][0], rows["all"][0]) == ("3", "7")
    assert float(rows["staff"][2]) > 0.9 and float(rows["staff"][7]) > 0.9
    assert "long side at most 160 px, single scale" in lines[-1]


def test_json_is_one_object_and_the_scores_are_written_on_request(
    model: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert evaluate(model, data / "annotations.json", "--json", "--out", tmp_path / "out") == 0
    row = json.loads(capsys.readouterr().out)
    assert set(row["box"]) == {"ap", "ap50", "ap75", "ap_medium", "ap_large"}
    assert row["model"] == str(model) and row["classes"]["staff"]["box"]["ap50"] > 0.9
    assert json.loads((tmp_path / "out" / "scores.json").read_text()) == row


def test_what_only_the_data_knows_is_said(model: Path, data: Path, capsys: Capture) -> None:
    file = data / "annotations.json"
    file.write_text(file.read_text().replace('"lyrics"', '"words"'))
    assert evaluate(model, data) == 0
    captured = capsys.readouterr()
    assert "the model does not know the data's words; scored without" in captured.err
    assert "without 'words'" in captured.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--min-face", 20), "--min-face is for face detectors"),
        (("--protocol", "widerface"), "finds regions of pages, which coco scores"),
        (("--protocol", "accuracy"), "finds regions of pages, which coco scores"),
        (("--tag", "MusicRegion=staff"), "--tag: is for PAGE XML"),
        (("--tag", "staff"), "expected SELECTOR=CLASS"),
    ],
)
def test_options_of_other_models_are_refused_in_one_line(
    options: tuple[object, ...], message: str, model: Path, data: Path, capsys: Capture
) -> None:
    assert evaluate(model, data, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1 and message in captured.err


def test_tags_mean_nothing_to_other_models(bundle: Path, data: Path, capsys: Capture) -> None:
    assert evaluate(bundle, data, "--tag", "MusicRegion=staff") == 2
    assert "this model is none" in capsys.readouterr().err
    assert evaluate(bundle, data, "--protocol", "coco") == 2
    assert "--protocol coco is for layout detectors" in capsys.readouterr().err
