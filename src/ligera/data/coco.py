"""COCO instances: one JSON file of ``images``, ``annotations`` and ``categories`` -> :class:`PageSet`.

In: such a file from anyone, or the folder it is in; polygons, run lengths packed or plain, crowds, boxes, areas,
category numbers with gaps (Lin et al. 2014, the data format of COCO object detection). Out: pages with every problem
named by the number of its record and the field. No picture is opened here.
"""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ligera.data.annotations import (
    LARGEST_COORDINATE_PX,
    Problem,
    ProblemKind,
    is_file,
    name_problem,
    quoted,
    raise_worst,
)
from ligera.data.picture_lookup import PictureLookup, folders_beside
from ligera.data.regions import Page, PageSet, Region, is_class_name
from ligera.data.shapes import read_shape
from ligera.errors import DataError

__all__ = ["find_coco_file", "read_coco"]

MOST_BYTES = 2**30
_USUAL_NAMES = ("annotations.json", "_annotations.coco.json", "instances_default.json", "result.json")


@dataclass(slots=True)
class _Reading:
    """What has been read of one file so far."""

    file: Path
    problems: list[Problem] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    pages: dict[Hashable, dict[str, Any]] = field(default_factory=dict)
    regions: dict[Hashable, list[Region]] = field(default_factory=dict)

    def complain(self, message: str, kind: ProblemKind = "malformed") -> None:
        self.problems.append(Problem(self.file, 0, message, kind))

    def complainer(self, record: str) -> Callable[..., None]:
        def complain(message: str, kind: ProblemKind = "malformed") -> None:
            self.complain(f"{record}, {message}", kind)

        return complain


def read_coco(
    source: str | Path,
    *,
    pictures: str | Path | None = None,
    strict: bool = True,
    require_pictures: bool = True,
) -> PageSet:
    """Read a COCO instances file, or the one in a folder.

    Pictures are looked for in ``pictures``, or without it beside the file, in ``images/`` there, one folder up, and in
    the folder that ``instances_NAME.json`` names; ``require_pictures`` makes one that is not there a problem. Records
    that cannot be used are left out and listed in ``problems``; ``strict`` instead raises ``DataError`` with the first
    and how many more there are. A file that is no COCO file at all always raises.
    """
    file = find_coco_file(Path(source))
    reading = _Reading(file)
    with _no_collection():
        content = _load(file)
        _read_categories(content["categories"], reading)
        _read_images(content["images"], reading)
        _read_annotations(content["annotations"], reading)
        del content
    if not reading.pages:
        reading.complain("images: names no picture")
    subset = file.stem.partition("_")[2]
    lookup = PictureLookup(folders_beside(file, pictures, *([subset] if subset else [])))
    pages = tuple(_page(key, reading, lookup, require_pictures) for key in reading.pages)
    if strict:
        raise_worst(reading.problems)
    numbers: dict[str, int] = {}
    for number, name in reading.names.items():
        numbers.setdefault(name, number)
    return PageSet(file, pages, tuple(numbers), tuple(reading.problems), tuple(numbers.values()))


def find_coco_file(source: Path) -> Path:
    """``source`` itself if it is a file; in a folder its usual name or only ``.json``, there or in ``annotations/``."""
    if is_file(source):
        return source
    if not source.is_dir():
        raise DataError(f"{source}: no such file or folder")
    for folder in (source, source / "annotations"):
        candidates = [folder / name for name in _USUAL_NAMES if is_file(folder / name)][:1]
        candidates = candidates or sorted(folder.glob("instances*.json")) or sorted(folder.glob("*.json"))
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            found = ", ".join(candidate.name for candidate in candidates[:4])
            raise DataError(f"{folder}: expected one COCO file, found {found}; name one")
    raise DataError(f"{source}: expected a COCO .json file, found none")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Python's collector stays off while millions of lists come and none goes: it would take as long as the reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(file: Path) -> dict[str, list[Any]]:
    """The three lists of the file; raises ``DataError`` where it has not all of them."""
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise DataError(f"{file}: is {size / 1e6:,.0f} MB; a COCO file of up to {MOST_BYTES / 1e6:,.0f} MB is read")
        content = json.loads(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        raise DataError(f"{file}:{error.lineno}: is not valid JSON ({error.msg})") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise DataError(f"{file}: is nested too deeply for a COCO file") from None
    except ValueError as error:
        raise DataError(f"{file}: is not valid JSON ({str(error).partition(';')[0]})") from None
    if not isinstance(content, dict):
        what = "results without their pictures" if isinstance(content, list) else "no object"
        raise DataError(f"{file}: expected a COCO object with images, annotations and categories, got {what}")
    for name in ("images", "annotations", "categories"):
        if not isinstance(content.get(name), list):
            raise DataError(f"{file}: expected a COCO file with a list of {name}, which this one lacks")
    return content


def _read_categories(rows: list[Any], reading: _Reading) -> None:
    known: dict[str, int] = {}
    for place, row in enumerate(rows):
        record, number = _record(row, "categories", "category", place)
        complain = reading.complainer(record)
        name = row.get("name") if isinstance(row, dict) else None
        if not isinstance(row, dict):
            complain("expected an object")
        elif not isinstance(number, int):
            complain("id: expected a whole number")
        elif number in reading.names:
            complain(f"name: {quoted(str(name))} has the number of {quoted(reading.names[number])}; left out")
        elif not is_class_name(name):
            complain("name: expected a class name")
        else:
            if name in known:
                complain(f"name: {quoted(name)} again, after category {known[name]}; joined", "suspect")
            known.setdefault(name, number)
            reading.names[number] = name


def _read_images(rows: list[Any], reading: _Reading) -> None:
    paths: dict[str, str] = {}
    for place, row in enumerate(rows):
        record, key = _record(row, "images", "image", place)
        complain = reading.complainer(record)
        wrong = _image_problem(row, key)
        if wrong:
            complain(wrong)
        elif key in reading.pages:
            complain("id: again; the first one stays")
        else:
            if row["file_name"] in paths:
                complain(
                    f"file_name: {quoted(row['file_name'], 200)} again, after {paths[row['file_name']]}", "suspect"
                )
            paths.setdefault(row["file_name"], record)
            reading.pages[key] = row
            reading.regions[key] = []


def _image_problem(row: Any, key: Any) -> str | None:
    if not isinstance(row, dict):
        return "expected an object"
    if key is None:
        return "id: expected a number or a name"
    if not isinstance(row.get("file_name"), str):
        return "file_name: expected the path of a picture"
    if wrong := name_problem(row["file_name"].strip()):
        return f"file_name: {wrong}"
    for side in ("width", "height"):
        value = row.get(side)
        whole = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not whole or value != int(value) or not 1 <= value <= LARGEST_COORDINATE_PX:
            return f"{side}: expected a whole number of pixels"
    return None


def _read_annotations(rows: list[Any], reading: _Reading) -> None:
    seen: set[Hashable] = set()
    alike: dict[Hashable, str] = {}
    for place, row in enumerate(rows):
        record, key = _record(row, "annotations", "annotation", place)
        complain = reading.complainer(record)
        if not isinstance(row, dict):
            complain("expected an object")
            continue
        image, category = _id(row.get("image_id")), _id(row.get("category_id"))
        if key is None:
            complain("id: expected a number or a name")
        elif key in seen:
            complain("id: again; the first one stays")
        elif image not in reading.pages:
            complain(f"image_id: no image {_shown_id(row.get('image_id'))}")
        elif category not in reading.names:
            complain(f"category_id: no category {_shown_id(row.get('category_id'))}")
        else:
            seen.add(key)
            size = int(reading.pages[image]["width"]), int(reading.pages[image]["height"])
            region = read_shape(row, reading.names[category], str(key), size, complain)
            if region is not None:
                reading.regions[image].append(region)
                first = alike.setdefault((image, *_likeness(region)), record)
                if first != record:
                    complain(f"is the same region as {first}", "suspect")


def _likeness(region: Region) -> tuple[Hashable, ...]:
    """Equal for regions that someone drew once and saved twice."""
    outline = region.mask.counts.tobytes() if region.mask else b"".join(part.tobytes() for part in region.polygons)
    return region.name, hash(outline), region.box.tobytes(), region.crowd


def _record(row: Any, group: str, word: str, place: int) -> tuple[str, Any]:
    """What to call a record in a message, and its ``id`` (``None`` where it has no usable one)."""
    key = _id(row.get("id")) if isinstance(row, dict) else None
    return (f"{group}[{place}]" if key is None else f"{word} {_shown_id(key)}"), key


def _id(value: Any) -> Hashable:
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    return value


def _shown_id(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | dict):
        return "of this kind"
    if value is None:
        return "is named"
    return str(value) if not isinstance(value, int) or abs(value) < 10**18 else "of so many digits"


def _page(key: Hashable, reading: _Reading, lookup: PictureLookup, require: bool) -> Page:
    row = reading.pages[key]
    name = row["file_name"].strip()
    path = lookup.find(name)
    if path is None and require:
        message = f"image {_shown_id(key)}, file_name: {quoted(str(lookup.expected(name)), 200)} is not there"
        reading.complain(message, "missing")
    regions = tuple(reading.regions[key])
    return Page(name, path or lookup.expected(name), int(row["width"]), int(row["height"]), regions, str(key))
