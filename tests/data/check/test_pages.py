"""The check of pages reports what stands in each split and names records and pictures that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ligera.data.check.pages import COCO, PAGEXML, PageReport
from ligera.data.pagexml_writing import write_pagexml
from ligera.data.regions import Page, PageSet, Region

from ..conftest import REAL_DATA, write_picture
from ..page_sets import WHOLE, page_set


def write_coco_set(folder: Path, *rows: dict[str, Any], width: int = 60, height: int = 40) -> Path:
    write_picture(folder / "images" / "a.jpg")
    square = WHOLE.ravel().tolist()
    sound = {"image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20], "segmentation": [square], "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": width, "height": height}],
        "annotations": [{"id": number, **sound, **row} for number, row in enumerate(rows, start=1)],
        "categories": [{"id": 1, "name": "staff"}, {"id": 2, "name": "lyrics"}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def test_pages_classes_and_sizes_are_counted(tmp_path: Path) -> None:
    write_coco_set(
        tmp_path,
        {},
        {"category_id": 2, "area": 1024},
        {"bbox": [1, 1, 30, 30], "area": 1023.9, "segmentation": []},
        {"iscrowd": 1, "area": 9216, "bbox": [5, 5, 20, 21]},
    )
    report = COCO.check(tmp_path, 1)
    assert isinstance(report, PageReport)
    assert (report.format, report.pictures, report.empty, report.regions) == ("coco", 1, 0, 4)
    assert (report.crowds, report.boxes_only) == (1, 1)
    assert (report.small, report.medium, report.large) == (2, 1, 1)
    assert [part.classes for part in report.splits] == [(("staff", 3), ("lyrics", 1))]
    assert report.ok
    assert any(problem.kind == "suspect" for problem in report.problems)


def test_splits_in_folders_of_their_own_are_told_apart(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_coco_set(tmp_path / split, {})
    report = COCO.check(tmp_path, 1)
    assert [(part.split, part.pages) for part in report.splits] == [("train", 1), ("val", 1)]
    assert report.pictures == 2
    assert report.ok


def test_a_picture_of_another_size_than_was_drawn_on_is_malformed(tmp_path: Path) -> None:
    report = COCO.check(write_coco_set(tmp_path, {}, width=40, height=60), 1)
    assert not report.ok
    message = "is 60 x 40 px, but its regions were drawn on 40 x 60 px, as if it had been turned since"
    assert [str(problem) for problem in report.problems] == [f"{tmp_path}/images/a.jpg: {message}"]


def test_a_broken_and_a_missing_picture_are_counted(tmp_path: Path) -> None:
    write_coco_set(tmp_path, {})
    picture = tmp_path / "images" / "a.jpg"
    picture.write_bytes(picture.read_bytes()[:-50])
    assert (COCO.check(tmp_path, 1).broken, COCO.check(tmp_path, 1).missing) == (1, 0)
    picture.unlink()
    report = COCO.check(tmp_path, 1)
    assert (report.broken, report.missing, report.ok) == (0, 1, False)


def test_page_xml_is_checked_with_its_tags_as_classes(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    write_pagexml(page_set(), tmp_path / "page")
    report = PAGEXML.check(tmp_path, 1)
    assert (report.format, report.regions, report.missing) == ("pagexml", 8, 0)
    assert dict(report.splits[0].classes) == {"drop-capital": 2, "lyrics": 2, "staff": 4}


@pytest.mark.parametrize("depth", ["", "page", "book/page", "train"])
def test_page_xml_is_recognised_where_it_is_kept(tmp_path: Path, depth: str) -> None:
    (file,) = write_pagexml(page_set(), tmp_path / depth)
    assert PAGEXML.recognise(tmp_path)
    assert PAGEXML.recognise(file)
    assert not COCO.recognise(tmp_path)


def test_coco_is_recognised_by_what_its_file_speaks_of(tmp_path: Path) -> None:
    write_coco_set(tmp_path / "train", {})
    assert COCO.recognise(tmp_path)
    assert COCO.recognise(tmp_path / "train")
    assert COCO.recognise(tmp_path / "train" / "annotations.json")
    assert not PAGEXML.recognise(tmp_path)
    (tmp_path / "other.json").write_text('{"name": "package"}')
    (tmp_path / "list.json").write_text('[{"images": 1}]')
    assert not COCO.recognise(tmp_path / "other.json")
    assert not COCO.recognise(tmp_path / "list.json")
    assert not COCO.recognise(tmp_path / "nothing")
    assert not PAGEXML.recognise(tmp_path / "nothing")


def test_the_report_is_ready_for_json_and_for_a_person(tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.jpg")
    regions = (Region("staff", (WHOLE,)), Region("a\tb", (np.array([[9, 9], [99, 9], [9, 99]]),)))
    write_pagexml(PageSet(tmp_path, (Page("a.jpg", picture, 60, 40, regions),), ("staff", "a\tb")), tmp_path)
    report = PAGEXML.check(tmp_path, 1)
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["splits"] == [{"split": None, "pages": 1, "classes": {"CustomRegion": 1, "staff": 1}}]
    assert plain["problems"][0]["line"] == 13
    lines = list(report.lines())
    assert lines[0] == "1 pages, 0 of them without regions"
    assert any("staff" in line and line.endswith("1") for line in lines)
    assert all(line.isprintable() for line in lines)


def test_the_real_manuscripts_are_sound() -> None:
    if not (REAL_DATA / "manuscripts").is_dir():
        pytest.skip("the real manuscripts do not stand at ../shared/data")
    report = COCO.check(REAL_DATA / "manuscripts" / "val", 1)
    assert (report.pictures, report.regions, report.problems) == (6, 187, ())
