"""Whatever a layout detector finds reads back from PAGE XML as it was, under the tags that were asked for."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.data.pagexml import read_pagexml
from ligera.deploy.layout.masks import mask_polygons
from ligera.deploy.layout.page_files import page_of, parse_tags, tags_to_read, tags_to_write, write_page
from ligera.errors import RecipeError, UsageError
from ligera.records import Detections, Picture

WIDTH, HEIGHT = 120, 90
NAMES = ("staff", "lyrics", "drop-capital")


def some_regions(seed: int) -> Detections:
    """Regions as the networks draw them: soft masks of a few cells over boxes of any size, empty ones too."""
    random = np.random.default_rng(seed)
    count = int(random.integers(0, 9))
    corners = np.sort(random.uniform(0, 1, (count, 2, 2)), axis=1) * [WIDTH, HEIGHT]
    boxes = corners.reshape(-1, 4).astype(np.float32)
    sharpness = random.choice([0.5, 1, 4])
    masks = [cv2.GaussianBlur(random.random((28, 28), np.float32), None, sharpness) for _ in range(count)]
    outlines = tuple(mask_polygons(mask, box, (HEIGHT, WIDTH)) for mask, box in zip(masks, boxes, strict=True))
    scores = np.sort(random.random(count))[::-1]
    return Detections(boxes, scores, random.integers(0, 3, count), NAMES, polygons=outlines)


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cv2.imwrite(str(path), pixels)
    return Picture(pixels, str(path))


def test_what_networks_draw_reads_back_without_a_word_of_trouble(picture: Picture, tmp_path: Path) -> None:
    for seed in range(25):
        found = some_regions(seed)
        write_page(tmp_path / "out" / f"{seed}.xml", found, picture)
        (page,) = (read := read_pagexml(tmp_path / "out" / f"{seed}.xml")).pages
        # a score does not make a problem, nor does a mask smaller than its box
        assert read.problems == ()
        wanted = page_of(found, "a.png", WIDTH, HEIGHT).regions
        assert len(page.regions) == len(wanted) == len(found)
        for own, other in zip(wanted, page.regions, strict=True):
            assert (own.name, f"r{own.key}", own.score) == (other.name, other.key, other.score)
            assert np.array_equal(own.box, other.box)
            for mine, theirs in zip(own.polygons, other.polygons, strict=True):
                assert np.array_equal(mine, theirs)


def test_a_region_without_an_outline_is_its_box_and_one_without_extent_is_left_out() -> None:
    boxes = np.array([[10, 20, 40, 50], [5, 5, 5, 60]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.8]), np.array([0, 1]), NAMES, polygons=((), ()))
    (region,) = page_of(found, "a.png", WIDTH, HEIGHT).regions
    assert (region.name, region.box.tolist()) == ("staff", [10, 20, 40, 50])
    assert region.polygons[0].tolist() == [[10, 20], [40, 20], [40, 50], [10, 50]]


def test_the_file_names_the_picture_as_seen_from_its_folder(picture: Picture, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "er" / "a.xml"
    write_page(file, some_regions(1), picture)
    # what was drawn lies beside the file, under the picture's own name
    (file.parent / "a.png").write_bytes(b"drawn")
    (page,) = read_pagexml(file).pages
    assert page.name == "../../in/a.png"
    assert page.path.resolve() == Path(picture.path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_picture_whose_name_is_no_text_is_found_by_that_of_the_file(picture: Picture, tmp_path: Path) -> None:
    odd = tmp_path / "in" / os.fsdecode(b"b\xff\n.png")
    Path(picture.path).rename(odd)
    write_page(tmp_path / "in" / "b.xml", some_regions(2), Picture(picture.pixels, str(odd)))
    read = read_pagexml(tmp_path / "in" / "b.xml", require_pictures=False)
    assert read.pages[0].name == "b\ufffd\ufffd.png"


def test_a_picture_that_is_no_file_keeps_its_name(tmp_path: Path) -> None:
    write_page(tmp_path / "stdin.xml", some_regions(3), Picture(np.zeros((HEIGHT, WIDTH, 3), np.uint8), "-"))
    assert read_pagexml(tmp_path / "stdin.xml", require_pictures=False).pages[0].name == "-"


def test_words_become_a_mapping_as_a_recipe_has_it() -> None:
    words = ["MusicRegion=staff", "custom:structure{type:lyrics}=lyrics"]
    assert parse_tags(words) == {"MusicRegion": "staff", "custom:structure{type:lyrics}": "lyrics"}
    for word in ("MusicRegion", "=staff", "MusicRegion=", ""):
        with pytest.raises(UsageError, match="expected SELECTOR=CLASS"):
            parse_tags([word])
    with pytest.raises(UsageError, match="given twice"):
        parse_tags(["MusicRegion=staff", "MusicRegion=lyrics"])


def test_classes_without_a_tag_get_the_usual_one() -> None:
    assert tags_to_write(NAMES, {"MusicRegion": "staff"}) == {
        "TextRegion:lyrics": "lyrics",
        "TextRegion:drop-capital": "drop-capital",
        "MusicRegion": "staff",
    }
    read = tags_to_read(NAMES, {"MusicRegion": "staff"})
    assert read == {"*:lyrics": "lyrics", "*:drop-capital": "drop-capital", "MusicRegion": "staff"}


def test_a_tag_of_no_class_or_that_cannot_be_written_is_refused() -> None:
    for tags in (tags_to_read, tags_to_write):
        with pytest.raises(UsageError, match=r"no class 'stave'; did you mean 'staff'\?"):
            tags(NAMES, {"MusicRegion": "stave"})
    with pytest.raises(RecipeError, match="no region of class 'lyrics' can be written"):
        tags_to_write(NAMES, {"TextRegion:lyrics": "staff"})
