"""COCO instances are read in full, what cannot be used is named by record and field, and writing loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ligera.data.coco import find_coco_file, read_coco
from ligera.data.coco_writing import write_coco
from ligera.data.regions import PageSet, Region, targets_of
from ligera.data.rle import rle_from_pixels
from ligera.errors import DataError

from .conftest import REAL_DATA, write_picture
from .page_sets import WHOLE, blob, every_kind, page_set, told

SQUARE = [5, 5, 25, 5, 25, 25, 5, 25]
RUNS = rle_from_pixels(blob())


def annotation(**changes: Any) -> dict[str, Any]:
    """A sound one; a change of ``...`` leaves the field out."""
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20], "area": 400, "iscrowd": 0}
    row |= {"segmentation": [SQUARE], **changes}
    return {key: value for key, value in row.items() if value is not ...}


def content(*annotations: Any, **changes: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "staff"}, {"id": 7, "name": "lyrics"}],
        **changes,
    }


def write(folder: Path, what: Any, name: str = "annotations.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(what if isinstance(what, str) else json.dumps(what), encoding="utf-8")
    return folder / name


def read(folder: Path, what: Any, **options: Any) -> PageSet:
    return read_coco(write(folder, what), **{"strict": False, "require_pictures": False, **options})


def messages(pages: PageSet) -> list[tuple[str, str]]:
    return [(problem.kind, problem.message) for problem in pages.problems]


def only_region(pages: PageSet) -> Region:
    assert pages.region_count == 1
    return pages.pages[0].regions[0]


def test_pages_classes_and_polygons_are_read_as_written(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.jpg")
    pages = read(tmp_path, content(annotation(category_id=7, segmentation=[[5.1, 5, 25, 5.25, 25, 25]])), strict=True)
    assert (pages.names, pages.category_ids) == (("staff", "lyrics"), (1, 7))
    page = pages.pages[0]
    assert (page.name, page.path, page.width, page.height) == ("a.jpg", tmp_path / "images" / "a.jpg", 60, 40)
    region = only_region(pages)
    assert (region.name, region.key, region.crowd, region.area_px2) == ("lyrics", "1", False, 400)
    assert region.polygons[0].tolist() == [[5.1, 5], [25, 5.25], [25, 25]]
    assert region.box.tolist() == [5, 5, 25, 25]


@pytest.mark.parametrize("counts", [RUNS.text(), RUNS.counts.tolist()])
def test_run_lengths_packed_or_plain_are_the_same_mask(tmp_path: Path, counts: Any) -> None:
    row = annotation(segmentation={"size": [40, 60], "counts": counts}, iscrowd=1, bbox=..., area=...)
    region = only_region(read(tmp_path, content(row)))
    np.testing.assert_array_equal(region.mask.pixels(), blob())
    assert region.crowd
    assert region.box.tolist() == [3, 2, 60, 35]
    assert region.area_px2 == blob().sum()


def test_box_and_area_follow_from_the_outline_where_they_are_not_given(tmp_path: Path) -> None:
    pages = read(
        tmp_path, content(annotation(bbox=..., area=..., iscrowd=..., segmentation=[SQUARE, [0, 0, 2, 0, 0, 2]]))
    )
    region = only_region(pages)
    assert pages.problems == ()
    assert region.box.tolist() == [0, 0, 25, 25]
    assert region.area_px2 == 402


@pytest.mark.parametrize("empty", [..., None, []])
def test_a_region_with_a_box_alone_is_kept_and_named(tmp_path: Path, empty: Any) -> None:
    pages = read(tmp_path, content(annotation(segmentation=empty)))
    assert only_region(pages).polygons == ()
    assert messages(pages) == [("suspect", "annotation 1, segmentation: is not there; only the box is known")]


NAN = float("nan")
MALFORMED = [
    ({"segmentation": [[5, 5, 25, 5]]}, "segmentation[0]: expected 3 points or more, got 2"),
    ({"segmentation": [[]]}, "segmentation[0]: expected 3 points or more, got 0"),
    ({"segmentation": [[5, 5, 25, 5, 25]]}, "segmentation[0]: expected pairs of x and y, got 5 numbers"),
    ({"segmentation": [[5, 5, 25, 5, 25, NAN]]}, "segmentation[0]: expected finite numbers up to 1,000,000, got nan"),
    ({"segmentation": [[5, 5, 25, 5, 25, 1e9]]}, "segmentation[0]: expected finite numbers up to 1,000,000, got 1e+09"),
    ({"segmentation": [[5, 5, 25, "5", 25, 25]]}, "segmentation[0]: expected numbers x1, y1, x2, y2, ..., got '5'"),
    ({"segmentation": [[5, 5, None, 5, 25, 25]]}, "segmentation[0]: expected numbers x1, y1, x2, y2, ..., got nothing"),
    (
        {"segmentation": [[[5, 5], [25, 5], [25, 25]]]},
        "segmentation[0]: expected numbers x1, y1, x2, y2, ..., got a list of 2",
    ),
    ({"segmentation": SQUARE}, "segmentation[0]: expected a list x1, y1, x2, y2, ..., got 5"),
    ({"segmentation": "all"}, "segmentation: expected polygons or run lengths, got 'all'"),
    (
        {"segmentation": {"size": [60, 40], "counts": [2400]}},
        "segmentation.size: expected the page's height and width [40, 60], got a list of 2",
    ),
    (
        {"segmentation": {"size": [40, 60], "counts": [100, 100]}},
        "segmentation.counts: expected runs of 2,400 pixels together (60 x 40), got 200",
    ),
    ({"segmentation": {"size": [40, 60], "counts": "``"}}, "segmentation.counts: the packed counts are cut short"),
    (
        {"segmentation": {"size": [40, 60]}},
        "segmentation.counts: expected a list of numbers or packed text, got nothing",
    ),
    ({"bbox": [5, 5, -20, 20]}, "bbox: expected a box of positive size, got -20 x 20 px"),
    ({"bbox": [5, 5, NAN, 20]}, "bbox: expected finite numbers up to 1,000,000, got nan"),
    ({"bbox": [5, 5, 20]}, "bbox: expected [x, y, width, height], got a list of 3"),
    ({"bbox": ..., "segmentation": ...}, "bbox: is not there, and neither is a segmentation"),
    ({"area": NAN}, "area: expected a number of px², got nan"),
    ({"area": -1}, "area: expected a number of px², got -1"),
    ({"iscrowd": 2}, "iscrowd: expected 0 or 1, got 2"),
    ({"image_id": 9}, "image_id: no image 9"),
    ({"image_id": ...}, "image_id: no image is named"),
    ({"category_id": 2}, "category_id: no category 2"),
]


@pytest.mark.parametrize(("changes", "message"), MALFORMED)
def test_an_annotation_that_cannot_be_used_is_named_by_its_number_and_field(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    pages = read(tmp_path, content(annotation(id=4, **changes), annotation(id=5)))
    assert messages(pages) == [("malformed", f"annotation 4, {message}")]
    assert only_region(pages).key == "5"
    with pytest.raises(DataError, match="annotation 4, "):
        read(tmp_path, content(annotation(id=4, **changes)), strict=True)


SUSPECT = [
    (
        {"bbox": [50, 30, 20, 20], "segmentation": ...},
        "bbox: (50, 30) to (70, 50) reaches outside its page of 60 x 40 px",
        1,
    ),
    ({"bbox": [61, 5, 20, 20]}, "bbox: (61, 5) to (81, 25) lies outside its page of 60 x 40 px; left out", 0),
    ({"bbox": [5, 5, 0, 20], "segmentation": ...}, "bbox: a box of 0 x 20 px has no area; left out", 0),
    ({"bbox": [0, 0, 0, 0]}, "bbox: a box of 0 x 0 px has no area; the outline's is taken", 1),
    ({"bbox": [5, 5, 20, 30]}, "bbox: is not around the outline, which spans x1 y1 x2 y2 = 5, 5, 25, 25", 1),
    ({"area": 100}, "area: 100 px² is not the outline's, which is 400", 1),
    ({"segmentation": [[5, 5, 25, 5, 15, 5]]}, "segmentation: encloses nothing; left out", 0),
    ({"segmentation": {"size": [40, 60], "counts": [2400]}}, "segmentation: encloses nothing; left out", 0),
    ({"segmentation": [SQUARE, [1, 2]]}, "segmentation[1]: expected 3 points or more, got 1; that part is left out", 1),
]


@pytest.mark.parametrize(("changes", "message", "kept"), SUSPECT)
def test_what_official_files_hold_too_is_suspect_and_stops_nobody(
    tmp_path: Path, changes: dict[str, Any], message: str, kept: int
) -> None:
    pages = read(tmp_path, content(annotation(**changes)), strict=True)
    assert ("suspect", f"annotation 1, {message}") in messages(pages)
    assert pages.region_count == kept


def test_a_written_box_and_area_stay_where_they_disagree_with_the_outline(tmp_path: Path) -> None:
    region = only_region(read(tmp_path, content(annotation(bbox=[5, 5, 20, 30], area=100))))
    assert (region.box.tolist(), region.area_px2) == ([5, 5, 25, 35], 100)


def test_rounding_is_no_disagreement(tmp_path: Path) -> None:
    row = annotation(bbox=[4.9, 5.2, 20.3, 19.7], area=390.5)
    assert read(tmp_path, content(row)).problems == ()


def test_duplicates_are_named(tmp_path: Path) -> None:
    what = content(
        annotation(id=1),
        annotation(id=1, bbox=[6, 6, 19, 19]),
        annotation(id=2),
        images=[
            {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40},
            {"id": 1, "file_name": "b.jpg", "width": 60, "height": 40},
            {"id": 2, "file_name": "a.jpg", "width": 60, "height": 40},
        ],
        categories=[{"id": 1, "name": "staff"}, {"id": 1, "name": "lyrics"}, {"id": 3, "name": "staff"}],
    )
    pages = read(tmp_path, what)
    assert messages(pages) == [
        ("malformed", "category 1, name: 'lyrics' has the number of 'staff'; left out"),
        ("suspect", "category 3, name: 'staff' again, after category 1; joined"),
        ("malformed", "image 1, id: again; the first one stays"),
        ("suspect", "image 2, file_name: 'a.jpg' again, after image 1"),
        ("malformed", "annotation 1, id: again; the first one stays"),
        ("suspect", "annotation 2, is the same region as annotation 1"),
    ]
    assert (pages.names, pages.category_ids, len(pages)) == (("staff",), (1,), 2)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("a.jpg", "images[0], expected an object"),
        ({"file_name": "a.jpg", "width": 6, "height": 4}, "images[0], id: expected a number or a name"),
        ({"id": 1, "width": 6, "height": 4}, "image 1, file_name: expected the path of a picture"),
        (
            {"id": 1, "file_name": "a\0b", "width": 6, "height": 4},
            "image 1, file_name: expected the path of a picture, got 'a\\x00b'",
        ),
        ({"id": 1, "file_name": "a.jpg", "width": 0, "height": 4}, "image 1, width: expected a whole number of pixels"),
        ({"id": 1, "file_name": "a.jpg", "width": 6}, "image 1, height: expected a whole number of pixels"),
        (
            {"id": 1, "file_name": "a.jpg", "width": 6, "height": NAN},
            "image 1, height: expected a whole number of pixels",
        ),
    ],
)
def test_an_image_that_cannot_be_used_is_named(tmp_path: Path, image: Any, message: str) -> None:
    pages = read(tmp_path, content(images=[image]))
    assert messages(pages)[0] == ("malformed", message)


@pytest.mark.parametrize("category", [{"id": 1}, {"id": 1, "name": ""}, {"id": 1, "name": "a\nb"}, {"name": "a"}, None])
def test_a_category_that_cannot_be_used_is_named(tmp_path: Path, category: Any) -> None:
    pages = read(tmp_path, content(categories=[category]))
    assert [kind for kind, _ in messages(pages)] == ["malformed"]
    assert pages.names == ()


def test_names_may_be_text_and_numbers_written_as_fractions(tmp_path: Path) -> None:
    image = {"id": "page one", "file_name": "a.jpg", "width": 60.0, "height": 40.0}
    pages = read(
        tmp_path, content(annotation(id="x", image_id="page one", category_id=1.0), images=[image]), strict=True
    )
    assert (only_region(pages).key, pages.pages[0].key, pages.pages[0].width) == ("x", "page one", 60)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("[1, 2]", "got results without their pictures"),
        ("3", "got no object"),
        ('{"images": [], "annotations": {}}', "a list of annotations, which this one lacks"),
        ('{\n"images": [}', ":2: is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "is not valid JSON"),
        ("", "is not valid JSON"),
    ],
)
def test_a_file_that_is_no_coco_file_says_so_in_one_line(tmp_path: Path, what: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, what)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "annotations.json") in str(caught.value)


def test_no_page_is_malformed(tmp_path: Path) -> None:
    assert messages(read(tmp_path, content(images=[]))) == [("malformed", "images: names no picture")]


@pytest.mark.parametrize(
    ("file", "picture", "name"),
    [
        ("annotations.json", "a.jpg", "a.jpg"),
        ("annotations.json", "images/a.jpg", "a.jpg"),
        ("annotations.json", "images/a.jpg", "images/a.jpg"),
        ("annotations.json", "images/a.jpg", "C:\\scans\\a.jpg"),
        ("annotations.json", "images/sub/a.jpg", "sub/a.jpg"),
        ("annotations/instances_val2017.json", "val2017/a.jpg", "a.jpg"),
        ("annotations/instances_val2017.json", "images/val2017/a.jpg", "a.jpg"),
        ("annotations/instances_default.json", "images/a.jpg", "/elsewhere/a.jpg"),
    ],
)
def test_pictures_are_found_where_such_files_keep_them(tmp_path: Path, file: str, picture: str, name: str) -> None:
    write_picture(tmp_path / picture)
    what = content(images=[{"id": 1, "file_name": name, "width": 60, "height": 40}])
    path = write((tmp_path / file).parent, what, Path(file).name)
    pages = read_coco(tmp_path)
    assert pages.file == path
    assert pages.pages[0].path.resolve() == (tmp_path / picture).resolve()


def test_a_picture_that_is_not_there_is_missing(tmp_path: Path) -> None:
    pages = read(tmp_path, content(annotation()), require_pictures=True)
    assert [kind for kind, _ in messages(pages)] == ["missing"]
    assert "a.jpg' is not there" in pages.problems[0].message
    assert pages.region_count == 1


def test_a_folder_of_pictures_can_be_named(tmp_path: Path) -> None:
    elsewhere = write_picture(tmp_path / "elsewhere" / "a.jpg")
    file = write(tmp_path / "labels", content(annotation()))
    assert read_coco(file, pictures=elsewhere.parent).pages[0].path == elsewhere
    with pytest.raises(DataError, match="no such folder of pictures"):
        read_coco(file, pictures=tmp_path / "nowhere")


def test_of_several_files_one_must_be_named(tmp_path: Path) -> None:
    write(tmp_path, content(), "one.json")
    write(tmp_path, content(), "two.json")
    with pytest.raises(DataError, match=r"expected one COCO file, found one\.json, two\.json"):
        find_coco_file(tmp_path)
    with pytest.raises(DataError, match="found none"):
        find_coco_file(write(tmp_path / "empty", "", "notes.txt").parent)
    with pytest.raises(DataError, match="no such file or folder"):
        find_coco_file(tmp_path / "nowhere")


def test_every_kind_of_region_is_written_and_read_back_equal(tmp_path: Path) -> None:
    pages = page_set()
    write_coco(pages, tmp_path / "out.json")
    again = read_coco(tmp_path / "out.json", require_pictures=False)
    assert told(again) == told(pages)
    assert [region.key for region in again.pages[0].regions] == [region.key for region in every_kind()]


def test_numbers_of_categories_survive_their_gaps(tmp_path: Path) -> None:
    pages = read(tmp_path, content(annotation(category_id=7)))
    write_coco(pages, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["categories"] == content()["categories"]
    assert read_coco(tmp_path / "out.json", require_pictures=False).category_ids == (1, 7)


def test_a_written_box_keeps_its_own_decimals(tmp_path: Path) -> None:
    row = annotation(bbox=[0.1, 13.1, 20.7, 0.3], segmentation=...)
    write_coco(read(tmp_path, content(row)), tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["annotations"][0]["bbox"] == [0.1, 13.1, 20.7, 0.3]


def test_a_region_of_a_class_that_the_set_does_not_name_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"class 'staff', which is not among lyrics"):
        write_coco(page_set(Region("staff", (WHOLE,)), names=("lyrics",)), tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_a_hundred_annotations_on_a_thousand_pages_are_told_apart_by_page(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 60, "height": 40} for n in range(1000)]
    rows = [annotation(id=n, image_id=7 * n) for n in range(100)]
    pages = read(tmp_path, content(*rows, images=images))
    assert pages.problems == ()
    assert [page.key for page in pages.pages if page.regions] == [str(7 * n) for n in range(100)]


def test_boxes_become_targets_and_crowds_regions_to_ignore() -> None:
    targets = targets_of(page_set().pages[0], ("staff", "drop-capital"))
    assert targets.labels.tolist() == [0, 1, 1, 0, 0]
    assert targets.ignore.tolist() == [[5, 5, 25, 25]]


def test_the_real_manuscripts_are_read_whole_and_come_back_equal(tmp_path: Path) -> None:
    folder = REAL_DATA / "manuscripts"
    if not folder.is_dir():
        pytest.skip("the real manuscripts do not stand at ../shared/data")
    train, val = read_coco(folder / "train"), read_coco(folder / "val")
    assert (len(train), train.region_count, len(val)) == (30, 1010, 6)
    counts = {name: sum(r.name == name for p in train.pages for r in p.regions) for name in train.names}
    assert counts == {"staff": 311, "lyrics": 504, "drop-capital": 195}
    assert train.problems == val.problems == ()
    write_coco(val, tmp_path / "out.json")
    assert told(read_coco(tmp_path / "out.json", pictures=folder / "val" / "images")) == told(val)
