"""Checks pages with regions, as COCO instances or PAGE XML: every record, and that pictures fit what was drawn on them.

In: a file or folder that :mod:`ligera.data.coco` or :mod:`ligera.data.pagexml` reads, or a folder with one such set in
each of ``train/``, ``val/`` and so on. Out: :class:`PageReport`. Only sizes are kept of what is decoded.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.data.annotations import Problem, is_file
from ligera.data.check.report import Format, bars, is_sound, problem_rows
from ligera.data.coco import find_coco_file, read_coco
from ligera.data.pagexml import read_pagexml
from ligera.data.pictures import read_picture
from ligera.data.regions import Page, PageSet
from ligera.errors import DataError, PictureError

__all__ = ["COCO", "PAGEXML", "PageReport", "PageSplit"]

# Where COCO's small, medium and large part.
AREA_EDGES_PX2 = (32.0**2, 96.0**2)
_SPLITS = ("train", "val", "valid", "validation", "test")
_HEAD_BYTES = 4096
_FILES_TRIED = 20


@dataclass(frozen=True, slots=True)
class PageSplit:
    """Pages and regions of each class in one split; its name is empty where there is but one."""

    split: str
    pages: int
    classes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PageReport:
    """What stands at ``path``.

    ``pictures`` includes those ``empty`` of regions; ``regions`` includes ``crowds`` and those of a box but no outline,
    ``boxes_only``. ``small``, ``medium`` and ``large`` are regions by area as COCO parts them, at 32² and 96² px².
    ``unmapped`` counts by tag the regions of PAGE XML without a class; ``missing`` and ``broken`` count pictures.
    """

    path: str
    format: str
    pictures: int
    empty: int
    regions: int
    crowds: int
    boxes_only: int
    small: int
    medium: int
    large: int
    splits: tuple[PageSplit, ...]
    unmapped: dict[str, int]
    missing: int
    broken: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the data can be trained on as it stands: no problem is more than suspect."""
        return is_sound(self.problems)

    def as_dict(self) -> dict[str, Any]:
        """The report ready for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["splits"] = [
            {"split": part.split or None, "pages": part.pages, "classes": dict(part.classes)} for part in self.splits
        ]
        plain["problems"] = problem_rows(self.problems)
        return plain

    def lines(self) -> Iterator[str]:
        """Pages, regions of each class and their sizes, for a person to read."""
        yield f"{self.pictures:,} pages, {self.empty:,} of them without regions"
        yield f"{self.regions:,} regions; {self.crowds:,} crowds, {self.boxes_only:,} with a box but no outline"
        for part in self.splits:
            yield f"{part.split}: {part.pages:,} pages" if part.split else "regions by class"
            yield from ("  " + line for line in bars(part.classes))
        if self.regions:
            yield "regions by area"
            sizes = (("up to 32² px", self.small), ("up to 96² px", self.medium), ("above", self.large))
            yield from ("  " + line for line in bars(sizes))


def _check(sets: dict[str, PageSet], path: Path, format: str, workers: int | None) -> PageReport:
    pages = [page for part in sets.values() for page in part.pages]
    regions = [region for page in pages for region in page.regions]
    problems = [problem for part in sets.values() for problem in part.problems]
    problems += _picture_problems(pages, workers)
    low, high = AREA_EDGES_PX2
    small = sum(region.area_px2 < low for region in regions)
    large = sum(region.area_px2 >= high for region in regions)
    return PageReport(
        path=str(path),
        format=format,
        pictures=len(pages),
        empty=sum(not page.regions for page in pages),
        regions=len(regions),
        crowds=sum(region.crowd for region in regions),
        boxes_only=sum(not region.polygons and region.mask is None for region in regions),
        small=small,
        medium=len(regions) - small - large,
        large=large,
        splits=tuple(_split(name, part) for name, part in sets.items()),
        unmapped=dict(sum((Counter(part.unmapped) for part in sets.values()), Counter())),
        missing=sum(problem.kind == "missing" for problem in problems),
        broken=sum(problem.kind == "broken" for problem in problems),
        problems=tuple(problems),
    )


def _split(name: str, part: PageSet) -> PageSplit:
    counts = Counter(region.name for page in part.pages for region in page.regions)
    return PageSplit(name, len(part), tuple((label, counts[label]) for label in part.names))


def _picture_problems(pages: Iterable[Page], workers: int | None) -> Iterator[Problem]:
    """Decode every picture that is there; yield those that break or are not of the size that was drawn on."""
    present = [page for page in pages if is_file(page.path)]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for page, size in zip(present, pool.map(_size_or_error, present), strict=True):
            if isinstance(size, PictureError):
                yield Problem(page.path, 0, str(size).removeprefix(f"{page.path}: "), "broken")
            elif size != (page.width, page.height):
                turned = ", as if it had been turned since" if size == (page.height, page.width) else ""
                drawn = f"{page.width} x {page.height} px"
                message = f"is {size[0]} x {size[1]} px, but its regions were drawn on {drawn}{turned}"
                yield Problem(page.path, 0, message)


def _size_or_error(page: Page) -> tuple[int, int] | PictureError:
    try:
        picture = read_picture(page.path)
    except PictureError as error:
        return error
    return picture.width, picture.height


def _sets(path: Path, recognised: Callable[[Path], bool], read: Callable[..., PageSet]) -> dict[str, PageSet]:
    """The set at ``path``, or each in a folder of its own with the name of a split."""
    splits = [] if is_file(path) or recognised(path) else [path / name for name in _SPLITS if recognised(path / name)]
    return {split.name: read(split, strict=False) for split in splits} or {"": read(path, strict=False)}


def _is_coco(path: Path) -> bool:
    """A JSON object that soon speaks of images, annotations or categories."""
    try:
        with find_coco_file(path).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (DataError, OSError):
        return False
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return False
    return any(word in head for word in (b'"images"', b'"annotations"', b'"categories"'))


def _is_pagexml(path: Path) -> bool:
    """A file that opens a PcGts element, or a folder with one, or with pages one folder down."""
    if path.is_dir():
        for pattern in ("*.xml", "page/*.xml", "*/*.xml", "*/page/*.xml"):
            if any(_is_pagexml(file) for file, _ in zip(path.glob(pattern), range(_FILES_TRIED), strict=False)):
                return True
        return False
    try:
        with path.open("rb") as file:
            return b"PcGts" in file.read(_HEAD_BYTES).replace(b"\0", b"")
    except (OSError, ValueError):
        return False


def _or_in_splits(recognised: Callable[[Path], bool]) -> Callable[[Path], bool]:
    return lambda path: recognised(path) or (path.is_dir() and any(recognised(path / name) for name in _SPLITS))


COCO = Format(
    "coco",
    "a JSON file of images, annotations and categories",
    _or_in_splits(_is_coco),
    lambda path, workers: _check(_sets(path, _is_coco, read_coco), path, "coco", workers),
)
PAGEXML = Format(
    "pagexml",
    "XML files with a PcGts element",
    _or_in_splits(_is_pagexml),
    lambda path, workers: _check(_sets(path, _is_pagexml, read_pagexml), path, "pagexml", workers),
)
