"""XML from strangers becomes a tree of lines and attributes, and nothing in it can grow or reach out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ligera.data import guarded_xml
from ligera.data.guarded_xml import Element, XmlError, read_xml

LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
]>
<a b="&lol3;"/>"""


def read(folder: Path, text: str | bytes, **options: frozenset[str]) -> Element:
    file = folder / "a.xml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_xml(file, **options)


def test_elements_know_their_names_attributes_and_lines(tmp_path: Path) -> None:
    root = read(tmp_path, '<a xmlns="here" x="1">\n  <b y="2"/>text\n<c><b/></c></a>')
    assert (root.name, root.namespace, root.get("x"), root.get("y"), root.line) == ("a", "here", "1", None, 1)
    assert [(child.name, child.line) for child in root.children] == [("b", 2), ("c", 3)]
    assert root.first("b").get("y") == "2"
    assert root.first("nothing") is None
    assert len(list(root.all("b"))) == 1


def test_elements_that_nobody_wants_are_dropped_with_all_they_hold(tmp_path: Path) -> None:
    root = read(tmp_path, "<a><w><b/><w/></w><b/></a>", leave_out=frozenset({"w"}))
    assert [child.name for child in root.children] == ["b"]


def test_attributes_of_other_namespaces_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, '<a xmlns:o="other" o:x="1" y="2"/>').attributes == {"y": "2"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_encodings_are_honoured(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a x="é"/>'
    assert read(tmp_path, text.encode(encoding)).get("x") == "é"


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "<!DOCTYPE a><a/>",
    ],
)
def test_a_doctype_is_refused_before_anything_of_it_is_used(tmp_path: Path, text: str) -> None:
    with pytest.raises(XmlError, match=r"a\.xml:[12]: has a DOCTYPE") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.xml:1: is not valid XML \(no element found\)"),
        ("<a>\n<b></a>", r"a\.xml:2: is not valid XML \(mismatched tag\)"),
        ("<a>&x;</a>", r"a\.xml:1: is not valid XML \(undefined entity\)"),
        (b'<?xml version="1.0" encoding="nothing"?><a/>', "is not valid XML"),
        (b"<a x='\xff'/>", r"not well-formed"),
    ],
)
def test_damage_is_named_by_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(XmlError, match=message):
        read(tmp_path, text)


def test_depth_number_and_size_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(XmlError, match="nested more than 100 elements deep"):
        read(tmp_path, "<a>" * 101 + "</a>" * 101)
    monkeypatch.setattr(guarded_xml, "MOST_ELEMENTS", 5)
    with pytest.raises(XmlError, match=r"a\.xml:2: has more than 5 elements"):
        read(tmp_path, "<a>\n" + "<b/>" * 9 + "</a>")
    monkeypatch.setattr(guarded_xml, "MOST_BYTES", 20)
    with pytest.raises(XmlError, match="XML of up to 0 MB is read"):
        read(tmp_path, "<a>" + " " * 20 + "</a>")


def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(XmlError, match="No such file"):
        read_xml(tmp_path / "nothing.xml")
