""":class:`PageSet` -> a COCO instances file, which :mod:`ligera.data.coco` reads back equal: polygons, masks, classes.

In: pages, of whatever files they came from. Out: one JSON file; masks are packed run lengths in it, and regions that a
model found have a ``score``.
"""

from __future__ import annotations

import json
from pathlib import Path

from ligera.data.annotations import quoted
from ligera.data.regions import PageSet
from ligera.data.shapes import shape_fields
from ligera.errors import DataError
from ligera.files import write_bytes

__all__ = ["write_coco"]


def write_coco(pages: PageSet, file: str | Path) -> None:
    """Write a COCO instances file, whole or not at all; categories keep their numbers, pictures their names.

    Numbers of images and annotations are kept where all are whole and differ, else counted from 1. Raises
    ``DataError`` for a region of a class that the set does not name.
    """
    categories = dict(zip(pages.names, pages.category_ids, strict=True))
    image_numbers = _numbers([page.key for page in pages.pages])
    region_numbers = iter(_numbers([region.key for page in pages.pages for region in page.regions]))
    annotations = []
    for page, image_number in zip(pages.pages, image_numbers, strict=True):
        for region, number in zip(page.regions, region_numbers, strict=False):
            if region.name not in categories:
                raise DataError(
                    f"{file}: page {quoted(page.name)} has a region of class {quoted(region.name)}, which is not among "
                    f"{', '.join(pages.names) or 'no classes'}"
                )
            row = {"id": number, "image_id": image_number, "category_id": categories[region.name]}
            annotations.append(row | shape_fields(region))
    content = {
        "images": [
            {"id": number, "file_name": page.name, "width": page.width, "height": page.height}
            for page, number in zip(pages.pages, image_numbers, strict=True)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }
    write_bytes(Path(file), json.dumps(content, allow_nan=False).encode("ascii"))


def _numbers(keys: list[str]) -> list[int]:
    whole = [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 18]
    if len(whole) == len(keys) == len(set(whole)):
        return whole
    return list(range(1, len(keys) + 1))
