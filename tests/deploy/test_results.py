"""What is written of results can be read back, and is as drawn."""

import json
from pathlib import Path, PurePath

import cv2
import numpy as np
import pytest

from ligera.data.pictures import read_picture
from ligera.deploy.results import Result, ResultFolder
from ligera.deploy.sources import PlannedSource, Shot
from ligera.errors import PictureError
from ligera.records import Detections, Picture

from .conftest import spots

FOUND = Detections(np.array([[32.0, 32, 64, 64]]), np.array([0.9]))
SOURCE = PlannedSource("picture", "in/a.png", PurePath("deep/a"))


def test_a_row_says_what_the_contract_says() -> None:
    row = Result(Shot(SOURCE, Picture(spots(128, 96))), FOUND).row()
    assert row == {
        "path": "in/a.png",
        "width": 128,
        "height": 96,
        "detections": [{"box": [32.0, 32.0, 64.0, 64.0], "score": 0.9, "label": "face"}],
    }


def test_a_failed_picture_has_a_row_with_its_error() -> None:
    assert Result(Shot(SOURCE, error=PictureError("a.png: is empty")), None).row() == {
        "path": "in/a.png",
        "error": "a.png: is empty",
    }


def test_pictures_crops_and_rows_land_in_the_folder(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out", crops=True) as folder:
        folder.add(Result(Shot(SOURCE, Picture(spots(128, 96))), FOUND))
        folder.add(Result(Shot(SOURCE, error=PictureError("bad")), None))
    files = sorted(file.relative_to(tmp_path / "out").as_posix() for file in tmp_path.rglob("*") if file.is_file())
    assert files == ["crops/deep/a-1.jpg", "deep/a.jpg", "detections.jsonl"]
    assert len((tmp_path / "out" / "detections.jsonl").read_text().splitlines()) == 2
    assert read_picture(tmp_path / "out" / "deep" / "a.jpg").pixels.shape == (96, 128, 3)
    assert read_picture(tmp_path / "out" / "crops" / "deep" / "a-1.jpg").width == 46


def test_a_picture_longer_than_jpeg_allows_is_written_as_png(tmp_path: Path) -> None:
    with ResultFolder(tmp_path) as folder:
        folder.add(Result(Shot(SOURCE, Picture(np.zeros((2, 66_000, 3), np.uint8))), FOUND))
    assert (tmp_path / "deep" / "a.png").is_file()


def test_frames_become_one_video_even_when_interrupted(tmp_path: Path) -> None:
    source = PlannedSource("video", "clip.avi", PurePath("clip"))
    with pytest.raises(KeyboardInterrupt), ResultFolder(tmp_path) as folder:
        for frame in range(3):
            folder.add(Result(Shot(source, Picture(spots(128, 96)), frame=frame, fps=10.0), FOUND))
        raise KeyboardInterrupt
    rows = [json.loads(line) for line in (tmp_path / "detections.jsonl").read_text().splitlines()]
    assert [row["frame"] for row in rows] == [0, 1, 2]
    capture = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    capture.release()
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []
