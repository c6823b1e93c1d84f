"""What is written of classifications can be read back: rows, contact sheets and videos."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

import cv2
import numpy as np
import pytest

from ligera.data.pictures import read_picture
from ligera.deploy import contact_sheet
from ligera.deploy.classifying.classifier import Classification
from ligera.deploy.classifying.results import ClassifiedFolder, ClassifiedShot, result_names
from ligera.deploy.contact_sheet import captioned, plain_text, sheet
from ligera.deploy.sources import PlannedSource, Shot
from ligera.errors import PictureError
from ligera.records import Picture

from ..colour_sets import plain

FOUND = Classification("red", 0.90004, {"red": 0.90004, "green": 0.07, "blue": 0.03})
SOURCE = PlannedSource("picture", "in/a.png", PurePath("deep/a"))


def shot(colour: str = "red") -> ClassifiedShot:
    return ClassifiedShot(Shot(SOURCE, Picture(plain(colour))), FOUND)


def test_a_row_says_what_the_contract_says() -> None:
    assert shot().row() == {
        "path": "in/a.png",
        "label": "red",
        "score": 0.9,
        "scores": {"red": 0.9, "green": 0.07, "blue": 0.03},
    }
    assert ClassifiedShot(shot().shot, FOUND, top=1).row()["scores"] == {"red": 0.9}


def test_a_failed_picture_has_a_row_with_its_error() -> None:
    failed = ClassifiedShot(Shot(SOURCE, error=PictureError("a.png: is empty")), None)
    assert failed.row() == {"path": "in/a.png", "error": "a.png: is empty"}


def test_a_sheet_is_written_whenever_it_is_full_and_the_last_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "COLUMNS", 2)
    monkeypatch.setattr(contact_sheet, "ROWS", 1)
    with ClassifiedFolder(tmp_path / "out") as folder:
        folder.add(shot())
        folder.add(ClassifiedShot(Shot(SOURCE, error=PictureError("bad")), None))
        folder.add(shot("green"))
        assert (tmp_path / "out" / "sheet-1.jpg").is_file()
        folder.add(shot("blue"))
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "classifications.jsonl",
        "sheet-1.jpg",
        "sheet-2.jpg",
    ]
    assert len((tmp_path / "out" / "classifications.jsonl").read_text().splitlines()) == 4
    first = read_picture(tmp_path / "out" / "sheet-1.jpg").pixels
    assert first[60, 60, 0] > 200 > first[60, 60, 1] and first[60, 230, 1] > 200 > first[60, 230, 0]


def test_without_a_picture_there_is_no_sheet(tmp_path: Path) -> None:
    with ClassifiedFolder(tmp_path) as folder:
        folder.add(ClassifiedShot(Shot(SOURCE, error=PictureError("bad")), None))
    assert [file.name for file in tmp_path.iterdir()] == ["classifications.jsonl"]


def test_the_names_foretold_are_those_written(tmp_path: Path) -> None:
    video = PlannedSource("video", "clip.avi", PurePath("clip"))
    assert result_names([SOURCE] * 49 + [video]) == ["clip.mp4", "sheet-1.jpg", "sheet-2.jpg"]
    assert result_names([SOURCE] * 48) == ["sheet-1.jpg"]
    with ClassifiedFolder(tmp_path) as folder:
        for _ in range(49):
            folder.add(shot())
    assert sorted(file.name for file in tmp_path.glob("*.jpg")) == ["sheet-1.jpg", "sheet-2.jpg"]


def test_frames_become_one_video_even_when_interrupted(tmp_path: Path) -> None:
    source = PlannedSource("video", "clip.avi", PurePath("clip"))
    with pytest.raises(KeyboardInterrupt), ClassifiedFolder(tmp_path) as folder:
        for frame in range(3):
            folder.add(ClassifiedShot(Shot(source, Picture(plain("red")), frame=frame, fps=10.0), FOUND))
        raise KeyboardInterrupt
    rows = [json.loads(line) for line in (tmp_path / "classifications.jsonl").read_text().splitlines()]
    assert [row["frame"] for row in rows] == [0, 1, 2]
    capture = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    capture.release()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["classifications.jsonl", "clip.mp4"]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (32, 32), (500, 300)])
def test_a_picture_of_any_shape_fits_its_place(size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), np.uint8)
    paper = sheet([(pixels, "0.50 black")] * 7)
    assert paper.shape == sheet([(np.zeros((8, 8, 3), np.uint8), "")] * 7).shape
    assert (paper == 0).all(axis=2).any()
    assert captioned(pixels, "0.50 black").shape == pixels.shape


def test_a_caption_is_written_and_the_picture_itself_left_alone() -> None:
    pixels = plain("blue", 200, 100)
    before = pixels.copy()
    drawn = captioned(pixels, "0.90 blue")
    np.testing.assert_array_equal(pixels, before)
    assert (drawn[:8, :8] > 240).any() and (drawn[60:] == pixels[60:]).all()


def test_text_that_opencv_cannot_write_is_made_plain() -> None:
    assert plain_text("Müller\n猫") == "Muller??"


def test_a_long_label_does_not_run_into_its_neighbour() -> None:
    grey = np.full((160, 160, 3), 128, np.uint8)
    alone = sheet([(grey, ""), (grey, "0.10 b")])
    crowded = sheet([(grey, "0.90 " + "m" * 400), (grey, "0.10 b")])
    np.testing.assert_array_equal(alone[:, 176:], crowded[:, 176:])
