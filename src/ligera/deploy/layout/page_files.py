"""What a layout detector found on a page -> a PAGE XML file, which transcription tools open.

In: ``Detections`` and the picture they were made on, and which tag each class gets. Out: one file for each page. Its
regions are the outlines in the order of the detections, named ``r1``, ``r2`` ..., with the score as ``conf``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ligera.data.page_tags import TagMap, default_tag
from ligera.data.pagexml_writing import page_xml
from ligera.data.regions import Page, Region
from ligera.errors import UsageError, nearest
from ligera.files import write_bytes
from ligera.records import Detections, Picture

__all__ = ["page_of", "parse_tags", "tags_to_read", "tags_to_write", "write_page"]


def parse_tags(asked: Iterable[str]) -> dict[str, str]:
    """``SELECTOR=CLASS`` words, such as ``MusicRegion=staff``, as the mapping that a recipe would hold."""
    tags: dict[str, str] = {}
    for word in asked:
        selector, _, name = word.rpartition("=")
        if not selector or not name:
            raise UsageError(f"--tag {word}: expected SELECTOR=CLASS, such as MusicRegion=staff")
        if selector in tags:
            raise UsageError(f"--tag {selector}: is given twice; a region has one class")
        tags[selector] = name
    return tags


def tags_to_read(labels: Sequence[str], asked: Mapping[str, str]) -> dict[str, str]:
    """Selectors for all ``labels``: those ``asked`` for, and for the others any region of that type.

    Raises ``UsageError`` for a class that is none of the labels.
    """
    _expect_known(labels, asked)
    return {f"*:{label}": label for label in labels if label not in asked.values()} | dict(asked)


def tags_to_write(labels: Sequence[str], asked: Mapping[str, str]) -> dict[str, str]:
    """Selectors for all ``labels``: those ``asked`` for, and for the others the usual ones.

    Raises ``UsageError`` for a class that is none of the labels and ``RecipeError`` for tags that cannot be written.
    """
    _expect_known(labels, asked)
    tags = {str(default_tag(label)): label for label in labels if label not in asked.values()} | dict(asked)
    tag_map = TagMap(tags)
    for label in labels:
        tag_map.tag(label)
    return tags


def _expect_known(labels: Sequence[str], asked: Mapping[str, str]) -> None:
    for name in asked.values():
        if name not in labels:
            raise UsageError(f"--tag: the model has no class {name!r}{nearest(name, labels)}; its: {', '.join(labels)}")


def page_of(found: Detections, name: str, width: int, height: int) -> Page:
    """Detections on a page of ``width`` x ``height`` px as its regions: outlines, or the box's where there is none.

    The box of a region is that of its outline, as PAGE XML has no other. Detections without any extent are left out.
    """
    regions = []
    for i in range(len(found)):
        outlines = (found.polygons[i] if found.polygons else ()) or (_corners(found.boxes[i]),)
        parts = tuple(part for part in outlines if _has_extent(part))
        if parts:
            label, score = found.names[int(found.labels[i])], float(found.scores[i])
            regions.append(Region(label, parts, key=str(i + 1), score=round(min(max(score, 0.0), 1.0), 4)))
    return Page(name, Path(name), width, height, tuple(regions))


def write_page(file: Path, found: Detections, picture: Picture, tags: Mapping[str, str] | None = None) -> None:
    """Write ``file``, which names the picture by its way there; without ``tags`` classes have their usual ones."""
    page = page_of(found, _way(picture.path, file.parent), picture.width, picture.height)
    write_bytes(file, page_xml(page, tags))


def _has_extent(points: np.ndarray) -> bool:
    """Whether ``(N, 2)`` points span some width and height."""
    return len(points) >= 3 and bool((points.max(axis=0) > points.min(axis=0)).all())


def _corners(box: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])


def _way(picture: str, folder: Path) -> str:
    """The picture as seen from the folder, so that it is found there and not what was drawn of it under its name."""
    path = Path(picture)
    if not path.is_file():
        return path.name if path.name.isprintable() and path.name else "page"
    whole = path.parent.resolve() / path.name
    try:
        way = Path(os.path.relpath(whole, folder.resolve())).as_posix()
    except ValueError:  # on another drive
        way = whole.as_posix()
    # A reader that cannot find this one looks for a picture of the file's own name.
    return way if way.isprintable() else "".join(letter if letter.isprintable() else "\ufffd" for letter in way)
