"""PAGE XML -> :class:`PageSet`: the regions of document pages as libraries and transcription tools keep them.

In: one file, or a folder of them, from anyone: the PRImA content schemas of 2013, 2017 and 2019 and those between and
around them (``points="x,y x,y"`` as well as ``<Point x= y=/>``), unknown ones with a warning; regions within regions,
and text lines where the recipe asks for them. Classes come from tags by the recipe's mapping
(:mod:`ligera.data.page_tags`). Out: pages with every problem named by file and line, and a count of the regions that
nothing maps. Source: PRImA Research Lab, PAGE content schema 2019-07-15.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ligera.data.annotations import Problem, ProblemKind, is_file, name_problem, numbers, quoted, raise_worst
from ligera.data.guarded_xml import Element, XmlError, read_xml
from ligera.data.page_record import RECORD, fingerprint
from ligera.data.page_tags import LINE_ELEMENTS, Tag, TagMap, parse_custom
from ligera.data.picture_lookup import PictureLookup, folders_beside
from ligera.data.regions import Page, PageSet, Region, is_class_name
from ligera.data.shapes import read_shape
from ligera.errors import DataError

__all__ = ["find_page_files", "read_pagexml"]

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/"
KNOWN_VERSIONS = (
    "2009-03-16",
    "2010-01-12",
    "2010-03-19",
    "2013-07-15",
    "2016-07-15",
    "2017-07-15",
    "2018-07-15",
    "2019-07-15",
    "2024-07-15",
)
# Words and glyphs have outlines by the thousand and are no regions; the rest holds text.
_LEFT_OUT = frozenset({"Word", "Glyph", "TextEquiv", "TextStyle", "Baseline", "Grid", "AlternativeImage", "Metadata"})
MOST_TAGS_NAMED = 8


@dataclass(slots=True)
class _Reading:
    """What has been read of one set so far."""

    tags: TagMap | None
    lookup: Callable[[Path], PictureLookup]
    require_pictures: bool
    problems: list[Problem] = field(default_factory=list)
    unmapped: Counter[str] = field(default_factory=Counter)

    def complainer(self, file: Path) -> Callable[..., None]:
        def complain(line: int, message: str, kind: ProblemKind = "malformed") -> None:
            self.problems.append(Problem(file, line, message, kind))

        return complain


def read_pagexml(
    source: str | Path,
    tags: Mapping[str, str | None] | None = None,
    *,
    pictures: str | Path | None = None,
    strict: bool = True,
    require_pictures: bool = True,
) -> PageSet:
    """Read one PAGE XML file, or all in a folder to its depth.

    ``tags`` maps selectors to classes (see :mod:`ligera.data.page_tags`); without it each region's class is its
    structure type, or else its own selector, and lines are left out. Pictures are looked for in ``pictures``, or
    without it beside each file, in ``images/`` there and one folder up. What cannot be used is left out and listed in
    ``problems``; ``strict`` instead raises ``DataError`` with the first and how many more there are. Raises
    ``RecipeError`` for a mapping that cannot be, ``DataError`` where there is no PAGE XML at all.
    """
    source = Path(source)
    tag_map = None if tags is None else TagMap(tags)
    lookups: dict[Path, PictureLookup] = {}

    def lookup(file: Path) -> PictureLookup:
        if file.parent not in lookups:
            lookups[file.parent] = PictureLookup(folders_beside(file, pictures), any_suffix=True)
        return lookups[file.parent]

    reading = _Reading(tag_map, lookup, require_pictures)
    alone = is_file(source)
    files = [source] if alone else find_page_files(source)
    pages = [page for file in files if (page := _read_file(file, reading, alone=alone)) is not None]
    _complain_unmapped(source, reading)
    if strict:
        raise_worst(reading.problems)
    found = sorted({region.name for page in pages for region in page.regions})
    names = tag_map.names if tag_map else tuple(found)
    return PageSet(source, tuple(pages), names, tuple(reading.problems), unmapped=dict(reading.unmapped))


def find_page_files(folder: Path) -> list[Path]:
    """Every ``.xml`` in ``folder`` to its depth, sorted, without hidden ones; ``DataError`` when there is none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such file or folder")
    inside = (file.relative_to(folder).parts for file in folder.rglob("*.xml") if is_file(file))
    files = sorted(folder.joinpath(*parts) for parts in inside if not any(part.startswith(".") for part in parts))
    if not files:
        raise DataError(f"{folder}: expected PAGE XML files, found no .xml")
    return files


def _read_file(file: Path, reading: _Reading, *, alone: bool) -> Page | None:
    complain = reading.complainer(file)
    try:
        root = read_xml(file, leave_out=_LEFT_OUT)
    except XmlError as error:
        if alone:
            raise
        complain(error.line, error.reason)
        return None
    if root.name != "PcGts":
        if alone:
            raise DataError(f"{file}: is no PAGE XML, whose first element is PcGts, but {quoted(root.name)}")
        complain(root.line, f"is no PAGE XML but {quoted(root.name)}; left out", "suspect")
        return None
    version = root.namespace.removeprefix(NAMESPACE)
    if version not in KNOWN_VERSIONS:
        known = f"{KNOWN_VERSIONS[0]} to {KNOWN_VERSIONS[-1]}"
        complain(root.line, f"is PAGE of version {quoted(version)}; read as if it were one of {known}", "suspect")
    element = root.first("Page")
    if element is None:
        complain(root.line, "expected a Page, found none")
        return None
    return _page(file, element, reading)


def _page(file: Path, element: Element, reading: _Reading) -> Page | None:
    complain = reading.complainer(file)
    sides = []
    for side in ("imageWidth", "imageHeight"):
        text = (element.get(side) or "").strip()
        if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= 1_000_000:
            complain(element.line, f"Page {side}: expected a whole number of pixels, got {quoted(text)}")
            return None
        sides.append(int(text))
    name = (element.get("imageFilename") or "").strip()
    if wrong := name_problem(name):
        complain(element.line, f"Page imageFilename: {wrong}")
        return None
    lookup = reading.lookup(file)
    path = lookup.find(name) or lookup.find(file.stem)
    if path is None and reading.require_pictures:
        missing = quoted(str(lookup.expected(name)), 200)
        complain(element.line, f"Page imageFilename: {missing} is not there", "missing")
    regions = tuple(_regions(file, element, (sides[0], sides[1]), reading))
    return Page(name, path or lookup.expected(name), sides[0], sides[1], regions, file.stem)


def _regions(file: Path, page: Element, size: tuple[int, int], reading: _Reading) -> Iterator[Region]:
    """Every mapped region, those within others after them, in the order of the file; the rest is counted."""
    complain = reading.complainer(file)
    seen: set[str] = set()
    waiting = [child for child in reversed(page.children) if _is_region(child)]
    while waiting:
        element = waiting.pop()
        tag = _tag(element)
        known, name = _class_of(tag, reading.tags)
        inner = [child for child in element.children if _is_region(child) or child.name in LINE_ELEMENTS]
        if not known and not any(_class_of(_tag(child), reading.tags)[0] for child in inner if _is_line(child)):
            # Lines within a region that is left out anyway, or that is a class itself, are no further loss.
            reading.unmapped[str(tag)] += not _is_line(element)
        waiting += reversed(inner)
        key = element.get("id") or ""
        if key in seen:
            complain(element.line, f"{element.name} id: {quoted(key)} again", "suspect")
        elif key:
            seen.add(key)
        if name is not None and (region := _region(element, name, key, size, complain)):
            yield region


def _is_region(element: Element) -> bool:
    return element.name.endswith("Region") and is_class_name(element.name)


def _is_line(element: Element) -> bool:
    return element.name in LINE_ELEMENTS


def _tag(element: Element) -> Tag:
    kind = element.get("type")
    return Tag(element.name, kind if is_class_name(kind) else None, parse_custom(element.get("custom")))


def _class_of(tag: Tag, tags: TagMap | None) -> tuple[bool, str | None]:
    """Whether anyone has said what becomes of such regions, and their class if they have one."""
    if tags is not None:
        return tags.find(tag)
    return (False, None) if tag.element in LINE_ELEMENTS else (True, tag.own_name)


def _region(
    element: Element, name: str, key: str, size: tuple[int, int], complain: Callable[..., None]
) -> Region | None:
    coords = element.first("Coords")
    if coords is None:
        complain(element.line, f"{element.name}: expected Coords, found none")
        return None
    points = _points(coords)
    if isinstance(points, str):
        complain(coords.line, f"Coords: {points}")
        return None

    region, wrong = None, []
    for row in (_noted(element, points), {"segmentation": [points]}):
        if region is None and row is not None:
            wrong = []
            region = read_shape(row, name, key, size, lambda *told, wrong=wrong: wrong.append(told))
    for message, *kind in wrong:
        complain(coords.line, re.sub(r"^(segmentation(\[\d+\])?|bbox): (?!is not there)", "Coords: ", message), *kind)
    score = _confidence(coords)
    if region is None or score is None or region.score is not None:
        return region
    return dataclasses.replace(region, score=score)


def _points(coords: Element) -> list[float] | str:
    """``x, y, x, y ...``, or what is wrong with them."""
    text = coords.get("points")
    if text is None:
        pairs = [(point.get("x") or "", point.get("y") or "") for point in coords.all("Point")]
    else:
        split = [word.split(",") for word in text.split()]
        odd = next((word for word in split if len(word) != 2), None)
        if odd is not None:
            return f"expected points x,y x,y ..., got {quoted(','.join(odd))}"
        pairs = [(x, y) for x, y in split]
    if len(pairs) < 3:
        return f"expected 3 points or more, got {len(pairs)}"
    if any(not x.strip() or not y.strip() for x, y in pairs):
        return "expected points with x and y"
    return numbers(" ".join(f"{x} {y}" for x, y in pairs))


def _confidence(coords: Element) -> float | None:
    found = numbers(coords.get("conf") or "")
    return found[0] if isinstance(found, list) and len(found) == 1 and 0 <= found[0] <= 1 else None


def _noted(element: Element, points: list[float]) -> dict[str, Any] | None:
    """The exact fields that our writer noted beside Coords, unless someone has moved the points since."""
    note = next(
        (
            attribute.get("value") or ""
            for user in element.all("UserDefined")
            for attribute in user.all("UserAttribute")
            if attribute.get("name") == RECORD
        ),
        None,
    )
    if note is None:
        return None
    try:
        record: Any = json.loads(note)
    except (ValueError, RecursionError):
        return None
    fresh = isinstance(record, dict) and record.get("coords") == fingerprint(points)
    return record if fresh else None


def _complain_unmapped(source: Path, reading: _Reading) -> None:
    reading.unmapped = +reading.unmapped
    if reading.unmapped:
        most = reading.unmapped.most_common()
        named = ", ".join(f"{count:,} {tag}" for tag, count in most[:MOST_TAGS_NAMED])
        more = f" and {len(most) - MOST_TAGS_NAMED:,} more tags" if len(most) > MOST_TAGS_NAMED else ""
        message = f"no class for {named}{more}; left out (a class of null in the recipe says that this is meant)"
        reading.problems.append(Problem(source, 0, message, "suspect"))
