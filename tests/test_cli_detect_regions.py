"""``ligera detect`` with a layout detector: outlines in the JSON and the pictures, PAGE XML, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import ligera
from ligera import cli
from ligera.boxes import iou
from ligera.data.pagexml import read_pagexml
from ligera.data.regions import PageSet

from .deploy.layout.pages import LABELS, drawn_page

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(trained_pair: tuple[object, Path]) -> Path:
    """The bundle of a network that knows the drawn page."""
    return trained_pair[1]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The drawn page, twice as large."""
    return write_page(tmp_path / "in" / "page.png")


def write_page(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), drawn_page()[0].repeat(2, axis=0).repeat(2, axis=1)[:, :, ::-1])
    return path


def detect(*arguments: object) -> int:
    return cli.run(["detect", "--threads", "1", *(str(argument) for argument in arguments)])


def test_each_region_has_its_class_and_an_outline_around_its_pixels(model: Path, page: Path, capsys: Capture) -> None:
    assert detect(page, "--model", model, "--json") == 0
    (row,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (row["width"], row["height"]) == (224, 320)
    assert len(row["detections"]) >= 5
    assert {found["label"] for found in row["detections"]} <= set(LABELS)
    for found in row["detections"]:
        assert set(found) == {"box", "score", "label", "polygon"}
        corners = np.array(found["polygon"][0])
        around = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        assert iou(around[None].astype(np.float32), np.array([found["box"]], np.float32))[0, 0] > 0.7
    assert not Path("runs").exists()


def test_the_same_regions_come_from_one_line_of_python(model: Path, page: Path, capsys: Capture) -> None:
    detect(page, "--model", model, "--json")
    row = json.loads(capsys.readouterr().out)
    pixels = cv2.imread(str(page))[:, :, ::-1]
    with ligera.load(str(model), threads=1) as loaded:
        assert loaded.detect(np.ascontiguousarray(pixels)).rows() == row["detections"]


def test_classes_are_counted_and_drawn_in_their_colours_above_a_legend(
    model: Path, page: Path, capsys: Capture
) -> None:
    assert detect(page, "--model", model, "--out", "out") == 0
    out = capsys.readouterr().out
    assert "regions (3 staff, " in out and "regions in 1 picture" in out
    drawn = cv2.imread("out/page.jpg")[:, :, ::-1].astype(int)
    before = cv2.imread(str(page))[:, :, ::-1].astype(int)
    assert drawn.shape[0] > before.shape[0] and drawn.shape[1] == before.shape[1]
    # between two lines of the first staff there is more red than before, for less green and blue
    change = (drawn[: before.shape[0]] - before)[28:31, 120:160].mean(axis=(0, 1))
    assert change[0] - change[1] > 30


def test_score_side_and_crops_work_as_for_faces(model: Path, page: Path, capsys: Capture) -> None:
    def count(*options: object) -> int:
        assert detect(page, "--model", model, "--json", "--out", "out", *options) == 0
        return len(json.loads(capsys.readouterr().out)["detections"])

    assert count("--score", 0.05) > count() > count("--score", 0.99)
    assert count("--max-side", 64) < count()
    found = count("--save-crops")
    assert len(list(Path("out/crops").iterdir())) == found


def test_a_rotated_photo_is_searched_as_it_is_shown(model: Path, page: Path, capsys: Capture) -> None:
    turned = Image.open(page).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    turned.save("turned.jpg", quality=95, exif=exif)
    assert detect("turned.jpg", "--model", model, "--page-xml", "--out", "out", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["width"], row["height"]) == (224, 320)
    assert len(row["detections"]) >= 5
    (read,) = read_pagexml("out").pages
    assert (read.width, read.height) == (224, 320)


def told(pages: PageSet) -> list[tuple[str, float | None, list[list[list[float]]]]]:
    return [(r.name, r.score, [part.tolist() for part in r.polygons]) for page in pages.pages for r in page.regions]


def test_page_xml_reads_back_as_the_regions_of_the_json(model: Path, page: Path, capsys: Capture) -> None:
    assert detect("in", "--model", model, "--json", "--page-xml", "--out", "out") == 0
    row = json.loads(capsys.readouterr().out)
    pages = read_pagexml("out")
    assert pages.problems == ()
    assert told(pages) == [(found["label"], found["score"], found["polygon"]) for found in row["detections"]]
    # the picture that was searched, not what was drawn of it beside the file
    assert pages.pages[0].path.resolve() == page.resolve()
    text = Path("out/page.xml").read_text(encoding="utf-8")
    assert "<MusicRegion" in text and "<TextRegion" in text and "CustomRegion" not in text


def test_page_xml_asked_for_alone_goes_to_a_run_folder(model: Path, page: Path, capsys: Capture) -> None:
    assert detect(page, "--model", model, "--json", "--page-xml") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert Path("runs/detect/page/page.xml").is_file()


def test_a_class_can_be_given_another_tag(model: Path, page: Path) -> None:
    assert detect(page, "--model", model, "--page-xml", "--tag", "TextRegion:heading=staff", "--out", "out") == 0
    text = Path("out/page.xml").read_text(encoding="utf-8")
    assert 'type="heading"' in text and "MusicRegion" not in text
    pages = read_pagexml("out", {"TextRegion:heading": "staff", "*:lyrics": "lyrics", "*:drop-capital": "drop-capital"})
    assert sum(region.name == "staff" for region in pages.pages[0].regions) == 3
    assert json.loads(Path("out/run.json").read_text())["page_tags"]["TextRegion:heading"] == "staff"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tile", "64"], "tile: would cut the regions of a page"),
        (["--tag", "MusicRegion=staff"], "add --page-xml"),
        (["--page-xml", "--tag", "MusicRegion"], "expected SELECTOR=CLASS"),
        (["--page-xml", "--tag", "MusicRegion=stave"], "no class 'stave'; did you mean 'staff'?"),
        (["--page-xml", "--tag", "A=staff"], "has no element 'A'"),
        (["--page-xml", "--tag", "MusicRegion=staff", "--tag", "MusicRegion=lyrics"], "given twice"),
        (["--page-xml", "--tag", "MusicRegion:staff=lyrics"], "no region of class 'staff' can be written"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_written(
    options: list[str], message: str, model: Path, page: Path, capsys: Capture
) -> None:
    assert detect(page, "--model", model, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert message in captured.err
    assert not Path("runs").exists()


def test_faces_have_no_page_xml(bundle: Path, page: Path, capsys: Capture) -> None:
    assert detect(page, "--model", bundle, "--page-xml") == 2
    assert "spots finds faces" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_frames_of_a_video_are_no_pages(
    model: Path, page: Path, picture_file: Callable[..., Path], capsys: Capture
) -> None:
    Path("a.mp4").write_bytes(b"")
    assert detect(page, "a.mp4", "--model", model, "--page-xml") == 2
    assert "a.mp4 is a video, whose frames are no pages" in capsys.readouterr().err


def test_page_xml_of_an_annotator_is_never_overwritten_and_that_of_an_earlier_run_is(
    model: Path, page: Path, capsys: Capture
) -> None:
    Path("truth").mkdir()
    Path("truth/page.xml").write_text("drawn by hand")
    assert detect(page, "--model", model, "--page-xml", "--out", "truth") == 2
    assert "page.xml there is not of an earlier run" in capsys.readouterr().err
    assert [file.name for file in Path("truth").iterdir()] == ["page.xml"]
    assert detect(page, "--model", model, "--page-xml", "--out", "out") == 0
    assert detect(page, "--model", model, "--page-xml", "--out", "out", "--score", "1") == 0
    assert told(read_pagexml("out")) == []


def test_pages_are_detected_without_torch(model: Path, page: Path) -> None:
    arguments = ["detect", str(page), "--model", str(model), "--out", "out", "--page-xml"]
    code = f"from ligera.cli import run\nassert run({arguments!r}) == 0\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert Path("out/page.xml").is_file()
    assert not {"torch", "torchvision", "onnx", "scipy", "matplotlib"} & set(done.stdout.split())
