"""Pages -> PAGE XML files of the 2019-07-15 schema, which read back equal and which other tools open.

In: :class:`Page` or :class:`PageSet`, and the recipe's mapping if there is one. Out: bytes or files. ``Coords`` holds
what the schema allows, one polygon of whole pixels inside the page: parts are tied by lines walked there and back,
masks become their outlines. What that leaves out stands beside it (:mod:`ligera.data.page_record`). A model's score is
the ``conf`` of ``Coords``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ligera.data.annotations import quoted
from ligera.data.outlines import joined
from ligera.data.page_record import RECORD, fingerprint
from ligera.data.page_tags import Tag, TagMap, default_tag
from ligera.data.pagexml import NAMESPACE
from ligera.data.regions import Page, PageSet, Region, polygon_area
from ligera.data.shapes import shape_fields
from ligera.errors import DataError
from ligera.files import write_bytes

__all__ = ["page_xml", "write_pagexml"]

VERSION = "2019-07-15"
# Tying a part to the rest looks for where they are nearest; a mask of specks would take minutes. The note has them all.
MOST_PARTS = 200
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*\Z")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_pagexml(
    pages: PageSet,
    folder: str | Path,
    tags: Mapping[str, str | None] | None = None,
    *,
    created: datetime | None = None,
) -> tuple[Path, ...]:
    """Write one file for each page, named as its picture, and return their paths.

    Raises as :func:`page_xml` does, and ``DataError`` for two pictures that would share a file, before any is written.
    """
    by_file: dict[Path, tuple[str, bytes]] = {}
    for page in pages.pages:
        file = Path(folder) / f"{PurePosixPath(page.name.replace(chr(92), '/')).stem}.xml"
        if file in by_file:
            raise DataError(f"{file}: would hold both {quoted(by_file[file][0])} and {quoted(page.name)}; rename one")
        by_file[file] = page.name, page_xml(page, tags, created=created)
    for file, (_, content) in by_file.items():
        write_bytes(file, content)
    return tuple(by_file)


def page_xml(page: Page, tags: Mapping[str, str | None] | None = None, *, created: datetime | None = None) -> bytes:
    """One page as the content of a file; ``created`` is its date (now).

    With ``tags`` each class is written as its selector says, so that the same mapping reads it back; without, staff and
    music become MusicRegion, the text types of the schema TextRegion, anything else CustomRegion, and the class stands
    as structure type in ``custom``. Raises ``RecipeError`` for a class that the mapping cannot write, ``DataError`` for
    names that XML cannot hold.
    """
    tag_map = None if tags is None else TagMap(tags)
    root = ElementTree.Element("PcGts", {"xmlns": NAMESPACE + VERSION, "xmlns:xsi": _INSTANCE})
    root.set("xsi:schemaLocation", f"{NAMESPACE}{VERSION} {NAMESPACE}{VERSION}/pagecontent.xsd")
    metadata = ElementTree.SubElement(root, "Metadata")
    date = (created or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    for name, text in (("Creator", "Ligera"), ("Created", date), ("LastChange", date)):
        ElementTree.SubElement(metadata, name).text = text
    attributes = {"imageFilename": page.name, "imageWidth": str(page.width), "imageHeight": str(page.height)}
    element = ElementTree.SubElement(root, "Page", attributes)
    for region, key in zip(page.regions, _keys(page), strict=True):
        _add(element, region, key, page, tag_map.tag(region.name) if tag_map else default_tag(region.name))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    if wrong := _NOT_XML.search(text):
        raise DataError(f"page {quoted(page.name)}: has {wrong[0]!r} in a name, which XML cannot hold; rename it")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode("utf-8") + b"\n"


def _keys(page: Page) -> list[str]:
    """Names for the regions, each once: their own where XML allows it, else with an ``r`` before, or by number."""
    keys: list[str] = []
    taken: set[str] = set()
    for place, region in enumerate(page.regions, start=1):
        candidates = (region.key, f"r{region.key}", f"r{place}")
        key = next((c for c in candidates if _XML_NAME.match(c) and c not in taken), None)
        number = place
        while key is None or key in taken:
            number += 1
            key = f"r{place}_{number}"
        taken |= {key, f"{key}_line"}
        keys.append(key)
    return keys


def _add(parent: ElementTree.Element, region: Region, key: str, page: Page, tag: Tag) -> None:
    points = _coords(region, page)
    coords = {"points": " ".join(f"{x},{y}" for x, y in points.tolist())}
    if region.score is not None:
        coords["conf"] = f"{region.score:.4f}"
    attributes = {"id": key}
    if tag.type is not None:
        attributes["type"] = tag.type
    if tag.custom:
        attributes["custom"] = tag.custom_text
    element_name = tag.element
    if element_name == "TextLine":
        # The schema has lines only within text regions.
        parent = ElementTree.SubElement(parent, "TextRegion", {"id": key})
        ElementTree.SubElement(parent, "Coords", coords)
        attributes["id"] = f"{key}_line"
        attributes.pop("type", None)
    element = ElementTree.SubElement(parent, element_name, attributes)
    ElementTree.SubElement(element, "Coords", coords)
    record = _record(region, points)
    if record is not None:
        user = ElementTree.SubElement(element, "UserDefined")
        text = json.dumps(record, allow_nan=False, separators=(",", ":"))
        ElementTree.SubElement(user, "UserAttribute", {"name": RECORD, "type": "xsd:string", "value": text})


def _coords(region: Region, page: Page) -> np.ndarray:
    """The outline as the schema allows it, ``(N, 2)`` whole px within the page."""
    parts = sorted(region.outline_parts(), key=polygon_area, reverse=True)[:MOST_PARTS]
    return np.clip(np.rint(joined(parts)), 0, (page.width, page.height)).astype(np.int64)


def _record(region: Region, points: np.ndarray) -> dict[str, Any] | None:
    """The note of what ``points`` leave out; ``None`` where they say it all."""
    exact = len(region.polygons) == 1 and np.array_equal(region.polygons[0], points)
    if exact and not region.crowd:
        plain = Region(region.name, (points,))
        if np.array_equal(plain.box, region.box) and plain.area_px2 == region.area_px2:
            return None
    return {"coords": fingerprint(points.ravel().tolist()), **shape_fields(region)}
