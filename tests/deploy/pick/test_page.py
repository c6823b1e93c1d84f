"""The report: one page that loads nothing and trusts nobody, JSON, and a picture."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.folder import check_folder, write_report
from ligera.deploy.pick.page import page_of
from ligera.deploy.pick.plot import HEIGHT_PX, WIDTH_PX, lay_out
from ligera.deploy.pick.png import draw_plot
from ligera.errors import UsageError

from .reports import report, row, three
from .worlds import candidate

VOID = {"meta", "br", "line", "circle", "rect", "polyline"}


class Tags(HTMLParser):
    """Which elements a page has, and that every one is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = page_of(report(list(three()), Budget(max_ms=8)))
    tags = Tags(page)
    assert tags.open == [] and {"svg", "table", "style", "script"} <= set(tags.names)
    assert not {"link", "img", "iframe"} & set(tags.names)
    assert not {name for name, _ in tags.attributes} & {"src", "href", "onclick"}
    assert not re.search(r"https?://|@import|url\(", page)


def test_names_of_strangers_are_text_and_no_markup() -> None:
    evil = "<script>alert(1)</script>\"'&"
    rows = [row(candidate(evil, 160), 0.4, 2.0), row(candidate(evil + "2", 160), 0.3, None, dropped=evil)]
    page = page_of(report(rows, Budget(max_ms=8), left_out={evil: evil}, warnings=(evil,), data=evil))
    assert "alert(1)</script>" not in page.replace("&lt;script&gt;alert(1)&lt;/script&gt;", "")
    assert Tags(page).names.count("script") == 1


def test_every_candidate_is_on_the_page_with_what_it_costs() -> None:
    rows = [*three(), row(candidate("dull", 160), 0.2, None, dropped="a few runs took 50.0 ms")]
    page = page_of(report(rows, Budget(max_ms=8)))
    for name in ("poor at 160 px", "fair at 320 px", "good at 640 px", "dull at 160 px"):
        assert name in page
    assert "a few runs took 50.0 ms" in page and ">winner<" in page and "with 20 % more" in page
    assert "0.246 EUR/kWh" in page and "--max-side 320" in page and "Made Up 1" in page


def test_whose_answers_a_candidates_accuracy_stands_on_is_said_where_they_are_not_its_own() -> None:
    page = page_of(report([*three(), row(candidate("dull", 160), 0.2, None, heard_in="openvino")], Budget(max_ms=8)))
    assert "a more accurate one that fits was found first; what it answers is known from openvino" in page


def test_where_nothing_fits_the_page_says_what_would() -> None:
    page = page_of(report(list(three()), Budget(max_ms=1)))
    assert "<h1>Nothing fits the budget</h1>" in page and "--max-ms 2.1" in page


def test_a_page_of_nothing_measured_is_still_a_page() -> None:
    nothing = row(candidate(), 0.0, None, accuracy=None, rough_ms=None, dropped="cannot run: it is broken")
    found = report([nothing], Budget(max_ms=1))
    assert lay_out(found) is None and "cannot run: it is broken" in page_of(found)


def test_the_plot_puts_faster_to_the_left_and_better_above() -> None:
    plot = lay_out(report(list(three()), Budget(max_ms=8)))
    places = {mark.number: mark for mark in plot.marks}
    assert places[0].x < places[1].x < plot.budget_x < places[2].x
    assert places[0].y > places[1].y > places[2].y
    assert [places[n].role for n in range(3)] == ["fits", "winner", "relaxed"]
    assert all(0 < mark.x < WIDTH_PX and 0 < mark.y < HEIGHT_PX for mark in plot.marks)
    assert plot.marks[-1].role == "winner"


def test_what_is_beaten_in_time_and_accuracy_is_below_the_line() -> None:
    beaten = row(candidate("beaten"), 0.3, 7.0)
    plot = lay_out(report([*three(), beaten], Budget(max_ms=8)))
    leading = {mark.number: mark.leads for mark in plot.marks}
    assert leading == {0: True, 1: True, 2: True, 3: False}


def test_one_candidate_alone_can_be_drawn() -> None:
    plot = lay_out(report([row(candidate(), 0.5, 3.0)], Budget()))
    assert draw_plot(plot).shape == (round((HEIGHT_PX + 34) * 1.5), round(WIDTH_PX * 1.5), 3)


def test_the_run_folder_holds_winner_page_json_and_picture(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    model.write_bytes(b"weights")
    rows = [row(candidate("m", model=str(model)), 0.5, 3.0)]
    folder = write_report(report(rows, Budget(max_ms=8)), tmp_path / "run")
    assert (folder / "m.onnx").read_bytes() == b"weights"
    assert json.loads((folder / "report.json").read_text())["winner"]["model"] == str(model)
    assert cv2.imread(str(folder / "pareto.png")).std() > 5
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    assert not np.isnan(json.loads((folder / "report.json").read_text())["winner"]["latency_ms"]["value"])


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file/run: cannot be written to"):
        check_folder(tmp_path / "file" / "run")
    check_folder(tmp_path / "new" / "run")
    assert (tmp_path / "new" / "run").is_dir() and not list((tmp_path / "new" / "run").iterdir())
