"""The recipe's mapping gives each PAGE tag its class, the most specific selector first, and back."""

from __future__ import annotations

import pytest

from ligera.data.page_tags import Tag, TagMap, default_tag, parse_custom
from ligera.errors import RecipeError


def tag(element: str, kind: str | None = None, custom: str = "") -> Tag:
    return Tag(element, kind, parse_custom(custom))


@pytest.mark.parametrize(
    ("selector", "fits", "not_"),
    [
        ("MusicRegion", tag("MusicRegion"), tag("TextRegion")),
        ("TextRegion:heading", tag("TextRegion", "heading"), tag("TextRegion", "paragraph")),
        ("TextRegion:lyrics", tag("TextRegion", custom="structure {type:lyrics;}"), tag("TextRegion", "other")),
        ("*:heading", tag("GraphicRegion", "heading"), tag("GraphicRegion")),
        ("custom:structure{type:initial}", tag("TextRegion", custom="structure {type:initial;}"), tag("TextRegion")),
        (
            "custom:kind{of:big}",
            tag("NoiseRegion", custom="kind {of:big; x:1}"),
            tag("NoiseRegion", custom="kind {of:1;}"),
        ),
        ("TextRegion:custom:k{a:b}", tag("TextRegion", custom="k {a:b;}"), tag("MusicRegion", custom="k {a:b;}")),
        ("TextLine", tag("TextLine"), tag("TextRegion")),
        ("LaterRegion", tag("LaterRegion"), tag("MapRegion")),
    ],
)
def test_a_selector_fits_its_regions_and_no_others(selector: str, fits: Tag, not_: Tag) -> None:
    tags = TagMap({selector: "it"})
    assert tags.find(fits) == (True, "it")
    assert tags.find(not_) == (False, None)


def test_the_most_specific_selector_decides_and_the_first_among_equals() -> None:
    tags = TagMap(
        {
            "TextRegion": "text",
            "*:heading": "any heading",
            "TextRegion:heading": "heading",
            "custom:structure{type:heading}": "marked",
            "custom:structure{type:other}": "first",
            "custom:more{x:1}": "second",
        }
    )
    assert tags.find(tag("TextRegion"))[1] == "text"
    assert tags.find(tag("TextRegion", "heading"))[1] == "heading"
    assert tags.find(tag("GraphicRegion", "heading"))[1] == "any heading"
    assert tags.find(tag("TextRegion", "heading", "structure {type:heading;}"))[1] == "marked"
    assert tags.find(tag("TextRegion", None, "more {x:1;} structure {type:other;}"))[1] == "first"
    assert tags.names == ("text", "any heading", "heading", "marked", "first", "second")


def test_a_class_of_none_is_left_out_on_purpose() -> None:
    tags = TagMap({"NoiseRegion": None, "MusicRegion": "staff"})
    assert tags.find(tag("NoiseRegion")) == (True, None)
    assert tags.names == ("staff",)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "expected selectors and their classes"),
        ({"": "a"}, "'' selects nothing"),
        ({"Text Region": "a"}, "'Text Region' selects nothing"),
        ({"*": "a"}, "would select everything"),
        ({"Musicregion": "a"}, "no element 'Musicregion'; did you mean 'MusicRegion'"),
        ({"custom:structure": "a"}, "no element 'custom'"),
        ({"MusicRegion": ""}, "expected the name of a class"),
        ({"MusicRegion": 3}, "expected the name of a class"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(mapping: dict, message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace("*", r"\*")):
        TagMap(mapping)


@pytest.mark.parametrize(
    ("selector", "written"),
    [
        ("MusicRegion", Tag("MusicRegion")),
        ("TextRegion:heading", tag("TextRegion", "heading", "structure {type:heading;}")),
        ("TextRegion:lyrics", tag("TextRegion", None, "structure {type:lyrics;}")),
        ("*:drop-capital", tag("TextRegion", "drop-capital", "structure {type:drop-capital;}")),
        ("*:stain", tag("CustomRegion", "stain", "structure {type:stain;}")),
        ("custom:structure{type:drop-capital}", tag("TextRegion", "drop-capital", "structure {type:drop-capital;}")),
        ("custom:kind{of:big}", tag("CustomRegion", None, "kind {of:big;}")),
        ("TextLine", Tag("TextLine")),
    ],
)
def test_a_class_is_written_as_its_selector_says_and_reads_back(selector: str, written: Tag) -> None:
    tags = TagMap({"GraphicRegion": "other", selector: "it"})
    assert tags.tag("it") == written
    assert tags.find(written) == (True, "it")


def test_a_class_that_would_read_back_as_another_is_not_written() -> None:
    with pytest.raises(RecipeError, match="class 'any' can be written, as others overrule its selectors"):
        TagMap({"*:heading": "any", "TextRegion:heading": "heading"}).tag("any")
    with pytest.raises(RecipeError, match="no selector that can be written gives it; did you mean 'staff'"):
        TagMap({"MusicRegion": "staff"}).tag("staf")
    with pytest.raises(RecipeError, match="no selector that can be written gives it"):
        TagMap({"TableCell": "cell"}).tag("cell")


@pytest.mark.parametrize(
    "name",
    ["staff", "lyrics", "drop-capital", "MusicRegion", "GraphicRegion:logo", "TextRegion:lyrics", "a {b}; c:d\\e"],
)
def test_without_a_mapping_every_class_has_a_tag_that_names_it(name: str) -> None:
    written = default_tag(name)
    read_back = Tag(written.element, written.type, parse_custom(written.custom_text))
    assert read_back.own_name == name


def test_regions_of_others_are_named_by_structure_type_or_selector() -> None:
    assert tag("TextRegion", "paragraph").own_name == "TextRegion:paragraph"
    assert tag("TextRegion", "paragraph", "structure {type:lyrics;}").own_name == "lyrics"
    assert tag("MusicRegion").own_name == "MusicRegion"


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        (None, ()),
        (
            "readingOrder {index:0;} structure {type:a b;}",
            (("readingOrder", (("index", "0"),)), ("structure", (("type", "a b"),))),
        ),
        ("structure{type:x\\u003ay}", (("structure", (("type", "x:y"),)),)),
        ("structure {type:x", ()),
        ("{type:x;} }}{{ ;;", ()),
        ("structure {type:a\nb; key:" + "x" * 300 + ";}", (("structure", ()),)),
    ],
)
def test_custom_attributes_are_read_as_far_as_they_make_sense(text: str | None, groups: tuple) -> None:
    assert parse_custom(text) == groups
