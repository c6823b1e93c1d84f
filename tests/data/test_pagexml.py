"""PAGE XML of every version is read, named where it cannot be, and what is written is valid and reads back equal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from ligera.data.coco import read_coco
from ligera.data.coco_writing import write_coco
from ligera.data.pagexml import KNOWN_VERSIONS, NAMESPACE, read_pagexml
from ligera.data.pagexml_writing import page_xml, write_pagexml
from ligera.data.regions import Page, PageSet, Region, polygon_area, regions_of
from ligera.errors import DataError, RecipeError
from ligera.records import Detections

from .conftest import REAL_DATA, write_picture
from .page_sets import FRACTIONS, HEIGHT, PART, WHOLE, WIDTH, page_set, told, told_region

POINTS = "5,5 25,5 25,25 5,25"
WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def document(*regions: str, version: str = "2019-07-15", page: str = 'imageWidth="60" imageHeight="40"') -> str:
    head = f'<PcGts xmlns="{NAMESPACE}{version}"><Metadata><Creator>x</Creator></Metadata>'
    return f'{head}\n<Page imageFilename="a.jpg" {page}>\n' + "\n".join(regions) + "\n</Page></PcGts>"


def region(element: str = "TextRegion", points: str = POINTS, inside: str = "", **attributes: str) -> str:
    listed = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<{element}{listed}><Coords points="{points}"/>{inside}</{element}>'


def read(folder: Path, text: str, tags: dict[str, str | None] | None = None, **options: Any) -> PageSet:
    (folder / "a.xml").write_text(text)
    return read_pagexml(folder / "a.xml", tags, **{"strict": False, "require_pictures": False, **options})


def names(pages: PageSet) -> list[str]:
    return [found.name for page in pages.pages for found in page.regions]


def messages(pages: PageSet) -> list[tuple[int, str, str]]:
    return [(problem.line, problem.kind, problem.message) for problem in pages.problems]


@pytest.mark.parametrize("version", KNOWN_VERSIONS)
def test_every_version_is_read(tmp_path: Path, version: str) -> None:
    pages = read(tmp_path, document(region("MusicRegion", id="m"), version=version), {"MusicRegion": "staff"})
    assert pages.problems == ()
    (page,) = pages.pages
    assert (page.name, page.width, page.height, page.key) == ("a.jpg", 60, 40, "a")
    (found,) = page.regions
    assert (found.name, found.key) == ("staff", "m")
    assert found.polygons[0].tolist() == [[5, 5], [25, 5], [25, 25], [5, 25]]
    assert found.box.tolist() == [5, 5, 25, 25]


@pytest.mark.parametrize("namespace", ["2031-01-01", "", "x"])
def test_an_unknown_version_is_read_with_a_warning(tmp_path: Path, namespace: str) -> None:
    pages = read(tmp_path, document(region(), version=namespace), strict=True)
    assert names(pages) == ["TextRegion"]
    assert [kind for _, kind, _ in messages(pages)] == ["suspect"]
    assert "is PAGE of version" in pages.problems[0].message


def test_points_may_be_elements_of_their_own(tmp_path: Path) -> None:
    points = '<Point x="5" y="5"/><Point x="25" y="5"/><Point x="25" y="25"/>'
    pages = read(tmp_path, document(f'<TextRegion id="r"><Coords>{points}</Coords></TextRegion>', version="2010-03-19"))
    assert pages.pages[0].regions[0].polygons[0].tolist() == [[5, 5], [25, 5], [25, 25]]


def test_fractions_are_read_though_the_schema_has_none(tmp_path: Path) -> None:
    pages = read(tmp_path, document(region(points="5.5,5 25,5.25 25,25")))
    assert pages.pages[0].regions[0].polygons[0].tolist() == [[5.5, 5], [25, 5.25], [25, 25]]


def test_regions_within_regions_and_lines_follow_the_one_they_are_in(tmp_path: Path) -> None:
    word = '<Word id="w"><Coords points="1,1 2,1 2,2"/></Word>'
    line = f'<TextLine id="l"><Coords points="6,6 20,6 20,9"/>{word}</TextLine>'
    inner = region("GraphicRegion", "8,8 12,8 12,12", id="g", type="decoration")
    text = document(region(inside=line + inner, id="t"), region("MusicRegion", "0,30 60,30 60,40", id="m"))
    tags = {"TextRegion": "text", "TextLine": "line", "GraphicRegion:decoration": "initial", "MusicRegion": "staff"}
    pages = read(tmp_path, text, tags)
    assert names(pages) == ["text", "line", "initial", "staff"]
    assert pages.names == ("text", "line", "initial", "staff")
    assert names(read(tmp_path, text)) == ["TextRegion", "GraphicRegion:decoration", "MusicRegion"]


def test_regions_that_nothing_maps_are_counted_and_reported(tmp_path: Path) -> None:
    line = '<TextLine id="l"><Coords points="6,6 20,6 20,9"/></TextLine>'
    text = document(
        region("MusicRegion", id="m"),
        region(type="paragraph", inside=line, id="a"),
        region(type="paragraph", id="b"),
        region(custom="structure {type:rubric;}", id="c"),
        region("NoiseRegion", id="n"),
    )
    pages = read(tmp_path, text, {"MusicRegion": "staff", "NoiseRegion": None}, strict=True)
    assert pages.unmapped == {"TextRegion:paragraph": 2, "TextRegion:rubric": 1}
    assert len(pages.problems) == 1
    assert "no class for 2 TextRegion:paragraph, 1 TextRegion:rubric; left out" in pages.problems[0].message
    # A region whose lines are what the recipe wants is no loss, and nothing is without a mapping.
    assert read(tmp_path, text, {"MusicRegion": "staff", "TextLine": "line"}).unmapped["TextRegion:paragraph"] == 1
    assert read(tmp_path, text).unmapped == {}


@pytest.mark.parametrize(
    ("coords", "message"),
    [
        ("<Coords/>", "Coords: expected 3 points or more, got 0"),
        ('<Coords points="1,2 3,4"/>', "Coords: expected 3 points or more, got 2"),
        ('<Coords points="1,2 3,4 5"/>', "Coords: expected points x,y x,y ..., got '5'"),
        ('<Coords points="1,2 3,4 5,6,7"/>', "Coords: expected points x,y x,y ..., got '5,6,7'"),
        ('<Coords points="1,2 3,4 5,"/>', "Coords: expected points with x and y"),
        ('<Coords points="1,2 3,4 5,y"/>', "Coords: expected numbers, got 'y'"),
        ('<Coords points="1,2 3,4 5,nan"/>', "Coords: expected finite numbers, got 'nan'"),
        ('<Coords points="1,2 3,4 5,9999999"/>', "Coords: expected numbers up to 1,000,000, got '9999999'"),
        (
            '<Coords><Point x="1" y="2"/><Point x="1"/><Point x="3" y="9"/></Coords>',
            "Coords: expected points with x and y",
        ),
        ("", "TextRegion: expected Coords, found none"),
    ],
)
def test_coordinates_that_cannot_be_used_are_named_by_file_and_line(tmp_path: Path, coords: str, message: str) -> None:
    text = document(f'<TextRegion id="r">{coords}</TextRegion>', region(id="s"))
    pages = read(tmp_path, text)
    assert messages(pages) == [(3, "malformed", message)]
    assert [found.key for found in pages.pages[0].regions] == ["s"]
    with pytest.raises(DataError, match=rf"^{re.escape(str(tmp_path / 'a.xml'))}:3: "):
        read(tmp_path, text, strict=True)


@pytest.mark.parametrize(
    ("points", "message", "kept"),
    [
        ("50,5 90,5 90,25", "Coords: (50, 5) to (90, 25) reaches outside its page of 60 x 40 px", 1),
        ("-9,5 9,5 9,25", "Coords: (-9, 5) to (9, 25) reaches outside its page of 60 x 40 px", 1),
        ("61,5 90,5 90,25", "Coords: (61, 5) to (90, 25) lies outside its page of 60 x 40 px; left out", 0),
        ("5,5 25,5 15,5", "Coords: encloses nothing; left out", 0),
    ],
)
def test_odd_outlines_are_suspect(tmp_path: Path, points: str, message: str, kept: int) -> None:
    pages = read(tmp_path, document(region(points=points)), strict=True)
    assert messages(pages) == [(3, "suspect", message)]
    assert len(names(pages)) == kept


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ('imageWidth="60"', "Page imageHeight: expected a whole number of pixels, got ''"),
        ('imageWidth="-60" imageHeight="40"', "Page imageWidth: expected a whole number of pixels, got '-60'"),
        ('imageWidth="0" imageHeight="40"', "Page imageWidth: expected a whole number of pixels, got '0'"),
        ('imageWidth="6e1" imageHeight="40"', "Page imageWidth: expected a whole number of pixels, got '6e1'"),
    ],
)
def test_a_page_without_a_size_is_malformed(tmp_path: Path, page: str, message: str) -> None:
    pages = read(tmp_path, document(region(), page=page))
    assert messages(pages) == [(2, "malformed", message)]
    assert len(pages) == 0


def test_a_page_without_a_picture_or_without_a_page_is_malformed(tmp_path: Path) -> None:
    pages = read(tmp_path, document().replace("a.jpg", ""))
    assert messages(pages) == [
        (2, "malformed", "Page imageFilename: expected the path of a picture, got nothing"),
    ]
    assert messages(read(tmp_path, f'<PcGts xmlns="{NAMESPACE}2019-07-15"/>')) == [
        (1, "malformed", "expected a Page, found none")
    ]


def test_a_name_that_two_regions_bear_is_suspect(tmp_path: Path) -> None:
    pages = read(tmp_path, document(region(id="r"), region(id="r")))
    assert messages(pages) == [(4, "suspect", "TextRegion id: 'r' again")]
    assert len(names(pages)) == 2


def test_a_doctype_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.xml:1: has a DOCTYPE"):
        read(tmp_path, "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>" + document())


def test_another_kind_of_xml_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no PAGE XML, whose first element is PcGts, but 'alto'"):
        read(tmp_path, "<alto/>")


def test_a_folder_is_read_to_its_depth_and_damage_in_it_named(tmp_path: Path) -> None:
    write_picture(tmp_path / "book" / "a.jpg")
    (tmp_path / "book" / "page").mkdir()
    (tmp_path / "book" / "page" / "a.xml").write_text(document(region("MusicRegion")))
    (tmp_path / "book" / "page" / "b.xml").write_text(document()[:-9])
    (tmp_path / "book" / "mets.xml").write_text("<mets/>")
    (tmp_path / "book" / ".hidden.xml").write_text("<")
    pages = read_pagexml(tmp_path, strict=False)
    assert [page.path for page in pages.pages] == [tmp_path / "book" / "a.jpg"]
    assert {(problem.file.name, problem.kind) for problem in pages.problems} == {
        ("mets.xml", "suspect"),
        ("b.xml", "malformed"),
    }
    with pytest.raises(DataError, match=r"b\.xml:\d: is not valid XML"):
        read_pagexml(tmp_path)


def test_a_folder_without_any_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected PAGE XML files, found no \.xml"):
        read_pagexml(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        read_pagexml(tmp_path / "nowhere")


@pytest.mark.parametrize("picture", ["a.jpg", "images/a.jpg", "../a.jpg", "../images/a.jpg", "a.png", "x.jpg"])
def test_pictures_are_found_by_name_or_stem_or_the_files_own(tmp_path: Path, picture: str) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    place = (folder / picture).resolve()
    write_picture(place.with_suffix(".jpg"))
    place.with_suffix(".jpg").rename(place)
    (folder / "x.xml").write_text(document())
    assert read_pagexml(folder / "x.xml").pages[0].path.resolve() == place


def test_a_picture_that_is_not_there_is_missing_by_line(tmp_path: Path) -> None:
    pages = read(tmp_path, document(region()), require_pictures=True)
    assert [(line, kind) for line, kind, _ in messages(pages)] == [(2, "missing")]
    assert len(names(pages)) == 1


# What the schema of 2019 asks of what we write, in its order.
REGION_CHILDREN = ("Coords", "UserDefined", "TextLine")
LINE_CHILDREN = ("Coords", "UserDefined")
TEXT_TYPES = {"paragraph", "heading", "drop-capital", "other"}


def expect_valid(content: bytes) -> None:
    """The rules of the schema that touch us; the files were held against the schema itself when this was written."""
    space = "{" + NAMESPACE + "2019-07-15}"
    root = ElementTree.fromstring(content)
    assert root.tag == space + "PcGts"
    metadata, page = root
    assert [child.tag for child in metadata] == [space + name for name in ("Creator", "Created", "LastChange")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", metadata[place].text) for place in (1, 2))
    assert page.tag == space + "Page"
    assert set(page.attrib) == {"imageFilename", "imageWidth", "imageHeight"}
    keys = [element.get("id") for element in page.iter() if "id" in element.attrib]
    assert len(keys) == len(set(keys))
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", key) for key in keys)
    for element in page:
        expect_valid_region(element, space)


def expect_valid_region(element: ElementTree.Element, space: str) -> None:
    name = element.tag.removeprefix(space)
    assert name in {"TextRegion", "MusicRegion", "GraphicRegion", "CustomRegion", "TextLine"}
    assert set(element.attrib) <= {"id", "type", "custom"} - (
        {"type"} if name in ("MusicRegion", "TextLine") else set()
    )
    assert name != "TextRegion" or element.get("type", "other") in TEXT_TYPES
    children = [child.tag.removeprefix(space) for child in element]
    order = LINE_CHILDREN if name == "TextLine" else REGION_CHILDREN
    assert children == [child for child in order if child in children]
    coords = element[0]
    assert set(coords.attrib) <= {"points", "conf"}
    assert re.fullmatch(r"(\d+,\d+ ){2,}\d+,\d+", coords.get("points"))
    assert 0 <= float(coords.get("conf", 0)) <= 1
    for child in element:
        if child.tag == space + "UserDefined":
            assert [set(attribute.attrib) for attribute in child] == [{"name", "type", "value"}]
        if child.tag == space + "TextLine":
            expect_valid_region(child, space)


MAPPINGS: list[dict[str, str | None] | None] = [
    None,
    {"MusicRegion": "staff", "TextRegion:lyrics": "lyrics", "custom:structure{type:drop-capital}": "drop-capital"},
    {"MusicRegion": "staff", "TextLine": "lyrics", "*:drop-capital": "drop-capital", "NoiseRegion": None},
    {"TextRegion": "staff", "TextRegion:heading": "lyrics", "GraphicRegion:decoration": "drop-capital"},
]


@pytest.mark.parametrize("tags", MAPPINGS)
def test_every_kind_of_region_is_written_valid_and_read_back_equal(tmp_path: Path, tags: dict | None) -> None:
    pages = page_set()
    (file,) = write_pagexml(pages, tmp_path, tags, created=WHEN)
    assert file == tmp_path / "a.xml"
    expect_valid(file.read_bytes())
    again = read_pagexml(tmp_path, tags, require_pictures=False)
    assert told(again) == told(pages)
    assert [problem.message for problem in again.problems] == ["segmentation: is not there; only the box is known"]
    assert set(again.names) == set(pages.names)


def test_pages_go_from_coco_through_page_xml_to_coco_unchanged(tmp_path: Path) -> None:
    pages = page_set()
    write_coco(pages, tmp_path / "in.json")
    write_pagexml(read_coco(tmp_path / "in.json", require_pictures=False), tmp_path / "page")
    write_coco(read_pagexml(tmp_path / "page", require_pictures=False), tmp_path / "out.json")
    assert told(read_coco(tmp_path / "out.json", require_pictures=False)) == told(pages)


def written(*regions: Region, **options: Any) -> bytes:
    return page_xml(Page("a.jpg", Path("a.jpg"), WIDTH, HEIGHT, regions), created=WHEN, **options)


def outlines(content: bytes) -> Iterator[np.ndarray]:
    for points in re.findall(rb'points="([^"]*)"', content):
        yield np.array([[int(v) for v in pair.split(",")] for pair in points.decode().split()])


def test_a_plain_polygon_needs_no_note_beside_it() -> None:
    content = written(Region("staff", (WHOLE,)))
    assert b"UserDefined" not in content
    assert f'points="{POINTS}"'.encode() in content


def test_other_tools_see_all_parts_and_masks_as_one_polygon_inside_the_page() -> None:
    parts, wide = Region("a", (WHOLE, PART)), Region("b", (WHOLE * 10 - 60,))
    first, second = outlines(written(parts, wide))
    assert polygon_area(first) == pytest.approx(polygon_area(WHOLE) + polygon_area(np.rint(PART)))
    assert second.min() == 0
    assert second.max(axis=0).tolist() == [60, 40]
    every = list(outlines(written(*page_set().pages[0].regions)))
    assert len(every) == 8


def test_points_that_another_tool_has_moved_are_believed_over_the_note(tmp_path: Path) -> None:
    content = written(Region("lyrics", (FRACTIONS,), area_px2=3.0)).decode()
    moved = content.replace('points="2,2 20,2', 'points="3,2 20,2')
    assert moved != content
    region = read(tmp_path, moved).pages[0].regions[0]
    assert region.polygons[0].tolist() == [[3, 2], [20, 2], [20, 31], [0, 28]]
    assert region.area_px2 == polygon_area(region.polygons[0])
    spaced = content.replace('points="2,2 20,2', 'points=" 02,2.0  20,2')
    assert told_region(read(tmp_path, spaced).pages[0].regions[0])["polygons"] == [FRACTIONS.tolist()]


@pytest.mark.parametrize("note", ["", "[", "{}", "3", "[" * 5000, '{"coords": "COORDS", "segmentation": "x"}'])
def test_a_damaged_note_is_passed_over(tmp_path: Path, note: str) -> None:
    content = written(Region("lyrics", (FRACTIONS,))).decode()
    mark = re.search(r"&quot;coords&quot;:&quot;(\w+)&quot;", content)[1]
    value = note.replace("COORDS", mark).replace('"', "&quot;")
    damaged = re.sub(r' value="[^"]*"', f' value="{value}"', content)
    pages = read(tmp_path, damaged)
    assert pages.problems == ()
    assert pages.pages[0].regions[0].polygons[0].tolist() == np.rint(FRACTIONS).tolist()


def test_what_a_model_found_is_written_with_its_scores(tmp_path: Path) -> None:
    boxes = [[5, 5, 25, 25], [30, 5, 50, 25], [3, 3, 3, 3], [np.nan, 0, 5, 5]]
    polygons = ((WHOLE,), (np.zeros((2, 2)),), (), ())
    found = Detections(boxes, [0.9, 0.25, 0.2, 0.1], [0, 1, 0, 0], ("staff", "lyrics"), polygons=polygons)
    regions = regions_of(found)
    assert [len(region.polygons) for region in regions] == [1, 0]
    content = written(*regions)
    expect_valid(content)
    assert re.findall(rb'conf="([^"]*)"', content) == [b"0.9000", b"0.2500"]
    (tmp_path / "a.xml").write_bytes(content)
    again = read_pagexml(tmp_path, require_pictures=False)
    assert [(r.name, round(r.score, 4)) for r in again.pages[0].regions] == [("staff", 0.9), ("lyrics", 0.25)]


def test_names_of_regions_are_kept_where_xml_allows_and_always_differ() -> None:
    keys = ["r1", "1", "r1", "", "a b", "é", "r1_line"]
    content = written(*(Region("lyrics", (WHOLE,), key=key) for key in keys), tags={"TextLine": "lyrics"})
    expect_valid(content)
    assert b'id="r1"' in content


@pytest.mark.parametrize("name", ['<&">', "ünïcode", "a {b}; c:d\\u0041", "TextRegion", "other"])
def test_any_class_name_survives(tmp_path: Path, name: str) -> None:
    content = written(Region(name, (WHOLE,)))
    expect_valid(content)
    assert names(read(tmp_path, content.decode())) == [name]


def test_what_xml_cannot_hold_is_refused() -> None:
    for page in (Page("a\ud800.jpg", Path(), 9, 9), Page("a.jpg", Path(), 60, 40, (Region("a\x01", (WHOLE,)),))):
        with pytest.raises(DataError, match="in a name, which XML cannot hold"):
            page_xml(page)


def test_a_class_that_the_recipe_cannot_write_is_named() -> None:
    with pytest.raises(RecipeError, match="no region of class 'lyrics' can be written"):
        written(Region("lyrics", (WHOLE,)), tags={"MusicRegion": "staff"})


def test_two_pictures_of_one_stem_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    pages = [Page(name, Path(name), 9, 9) for name in ("a.jpg", "sub/a.png")]
    with pytest.raises(DataError, match=r"would hold both 'a\.jpg' and 'sub/a\.png'"):
        write_pagexml(PageSet(Path(), tuple(pages), ()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_real_manuscripts_come_back_equal(tmp_path: Path) -> None:
    folder = REAL_DATA / "manuscripts" / "val"
    if not folder.is_dir():
        pytest.skip("the real manuscripts do not stand at ../shared/data")
    pages = read_coco(folder)
    for file in write_pagexml(pages, tmp_path):
        expect_valid(file.read_bytes())
    again = read_pagexml(tmp_path, pictures=folder / "images")
    assert sorted(told(again)) == sorted(told(pages))
    assert {page.path for page in again.pages} == {page.path for page in pages.pages}
