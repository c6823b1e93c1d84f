"""The shape fields of one COCO annotation <-> :class:`Region`: ``segmentation``, ``bbox``, ``area``, ``iscrowd``.

In: a dictionary read from JSON that anyone may have written, and the size of its page in px. Out: a region, or
``None`` where nothing usable is left; what is wrong goes to ``complain``, which is given a message that opens with the
field, and how bad it is. PAGE XML files carry the same fields for what PAGE itself cannot say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from ligera.data.annotations import LARGEST_COORDINATE_PX, ProblemKind, box_problem, quoted
from ligera.data.regions import Region, polygon_area
from ligera.data.rle import Rle, rle_from_counts, rle_from_text

__all__ = ["Complain", "read_shape", "shape_fields"]

# What rounding and different ways to count pixels do to boxes and areas; more is a disagreement.
BOX_SLACK_PX, BOX_SLACK_SHARE = 2.0, 0.02
AREA_SLACK_SHARE = 0.1
EDGE_SLACK_PX = 1.0


# Boxes are plain tuples in this file: numpy takes longer over four numbers than Python does.
Box = tuple[float, float, float, float]


class Complain(Protocol):
    def __call__(self, message: str, kind: ProblemKind = "malformed") -> None: ...


class _Unusable(Exception):
    """Why a field cannot be used, and with it the whole region."""

    def __init__(self, message: str, kind: ProblemKind = "malformed") -> None:
        super().__init__(message)
        self.kind = kind


class _Outline(NamedTuple):
    """An outline with what follows from it: ``box`` ``x1 y1 x2 y2`` px, and area."""

    polygons: tuple[np.ndarray, ...]
    mask: Rle | None
    box: Box
    area_px2: float


def read_shape(row: Mapping[str, Any], name: str, key: str, size: tuple[int, int], complain: Complain) -> Region | None:
    """The region of class ``name`` in ``row``, on a page of ``size`` (width, height) px."""
    try:
        crowd = _crowd(row.get("iscrowd", 0))
        outline = _outline(row.get("segmentation"), size, complain)
        box = _box(row.get("bbox"), outline, complain)
        area = _area(row.get("area"))
        score = _score(row.get("score"))
        _expect_inside(box, size, complain)
    except _Unusable as error:
        complain(str(error), error.kind)
        return None
    if outline is None:
        complain("segmentation: is not there; only the box is known", "suspect")
        return Region(name, box=box, crowd=crowd, area_px2=area, key=key, score=score)
    if area is None:
        area = outline.area_px2
    _compare(outline, box, area, complain)
    return Region(name, outline.polygons, box, outline.mask, crowd, area, key, score)


def shape_fields(region: Region) -> dict[str, Any]:
    """The fields, ready for JSON, from which :func:`read_shape` reads the same region; ``score`` only if it has one."""
    if region.mask is not None:
        mask = region.mask
        segmentation: Any = {"size": [mask.height, mask.width], "counts": mask.text()}
    else:
        segmentation = [part.ravel().tolist() for part in region.polygons]
    x1, y1, x2, y2 = region.box.tolist()
    score = {} if region.score is None else {"score": region.score}
    return {
        "bbox": [x1, y1, _side(x1, x2), _side(y1, y2)],
        "area": region.area_px2,
        "iscrowd": int(region.crowd),
        "segmentation": segmentation,
        **score,
    }


def _side(start: float, end: float) -> float:
    """The shortest number that leads from ``start`` to ``end`` exactly, as a subtraction seldom does."""
    side = end - start
    return next((r for digits in range(16) if start + (r := round(side, digits)) == end and r > 0), side)


def _crowd(value: Any) -> bool:
    if value not in (0, 1):
        raise _Unusable(f"iscrowd: expected 0 or 1, got {_shown(value)}")
    return bool(value)


def _outline(value: Any, size: tuple[int, int], complain: Complain) -> _Outline | None:
    if value is None or value == []:
        return None
    if isinstance(value, dict):
        mask = _mask(value, size)
        return _of_some_extent(_Outline((), mask, tuple(mask.box().tolist()), float(mask.area_px2)))
    if not isinstance(value, list):
        raise _Unusable(f"segmentation: expected polygons or run lengths, got {_shown(value)}")
    parts, boxes = [], []
    for place, part in enumerate(value):
        points = _points(part, f"segmentation[{place}]")
        if len(points) >= 3:
            parts.append(points)
            boxes.append(_around(points, f"segmentation[{place}]"))
        else:
            message = f"segmentation[{place}]: expected 3 points or more, got {len(points)}"
            if len(value) == 1:
                raise _Unusable(message)
            complain(f"{message}; that part is left out", "suspect")
    if not parts:
        raise _Unusable("segmentation: no part has 3 points")
    lowest_x, lowest_y, highest_x, highest_y = zip(*boxes, strict=True)
    box = min(lowest_x), min(lowest_y), max(highest_x), max(highest_y)
    return _of_some_extent(_Outline(tuple(parts), None, box, sum(polygon_area(part) for part in parts)))


def _of_some_extent(outline: _Outline) -> _Outline:
    x1, y1, x2, y2 = outline.box
    if not (x2 > x1 and y2 > y1):
        # Points on one line and masks of nothing stand in official files too.
        raise _Unusable("segmentation: encloses nothing; left out", "suspect")
    return outline


def _points(part: Any, field: str) -> np.ndarray:
    if not isinstance(part, list):
        raise _Unusable(f"{field}: expected a list x1, y1, x2, y2, ..., got {_shown(part)}")
    try:
        flat = np.array(part)
    except ValueError:  # lists of different lengths
        flat = np.zeros((0, 0))
    if part and (flat.ndim != 1 or flat.dtype.kind not in "iuf"):
        raise _Unusable(f"{field}: expected numbers x1, y1, x2, y2, ..., got {_shown(_odd_one(part))}")
    if len(part) % 2:
        raise _Unusable(f"{field}: expected pairs of x and y, got {len(part)} numbers")
    return flat.astype(np.float64, copy=False).reshape(-1, 2)


def _around(points: np.ndarray, field: str) -> Box:
    """``x1 y1 x2 y2`` around the points, which also tells whether all are finite: NaN comes through min and max."""
    box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    for value in box:
        if not abs(value) <= LARGEST_COORDINATE_PX:
            raise _Unusable(f"{field}: expected finite numbers up to {LARGEST_COORDINATE_PX:,.0f}, got {value:g}")
    return box


def _odd_one(part: list[Any]) -> Any:
    return next((value for value in part if not isinstance(value, int | float) or isinstance(value, bool)), part)


def _mask(value: dict[str, Any], size: tuple[int, int]) -> Rle:
    width, height = size
    if value.get("size") != [height, width]:
        raise _Unusable(
            f"segmentation.size: expected the page's height and width [{height}, {width}], "
            f"got {_shown(value.get('size'))}"
        )
    counts = value.get("counts")
    try:
        if isinstance(counts, str):
            return rle_from_text(counts, height, width)
        if isinstance(counts, list):
            return rle_from_counts(counts, height, width)
    except (ValueError, OverflowError) as error:
        raise _Unusable(f"segmentation.counts: {error}") from None
    raise _Unusable(f"segmentation.counts: expected a list of numbers or packed text, got {_shown(counts)}")


def _box(value: Any, outline: _Outline | None, complain: Complain) -> Box:
    """``x1 y1 x2 y2`` as written, or the outline's where nothing usable is."""
    if value is None or value == []:
        if outline is None:
            raise _Unusable("bbox: is not there, and neither is a segmentation")
        return outline.box
    if not isinstance(value, list) or len(value) != 4:
        raise _Unusable(f"bbox: expected [x, y, width, height], got {_shown(value)}")
    for number in value:
        if not _is_number(number) or not abs(number) <= LARGEST_COORDINATE_PX:
            limit = f"{LARGEST_COORDINATE_PX:,.0f}"
            raise _Unusable(f"bbox: expected finite numbers up to {limit}, got {_shown(number)}")
    x, y, width, height = (float(number) for number in value)
    # Sides too small for the number they are added to are none.
    wrong = box_problem(x, y, *(0.0 if start + side == start else side for start, side in ((x, width), (y, height))))
    if not wrong:
        return x, y, x + width, y + height
    message, kind = wrong
    if outline is None or kind == "malformed":
        raise _Unusable(f"bbox: {message}", kind)
    complain(f"bbox: {message.removesuffix('; left out')}; the outline's is taken", "suspect")
    return outline.box


def _area(value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value <= LARGEST_COORDINATE_PX**2:
        raise _Unusable(f"area: expected a number of px², got {_shown(value)}")
    return float(value)


def _score(value: Any) -> float | None:
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value <= 1:
        raise _Unusable(f"score: expected 0 to 1, got {_shown(value)}")
    return float(value)


def _expect_inside(box: Box, size: tuple[int, int], complain: Complain) -> None:
    width, height = size
    x1, y1, x2, y2 = box
    outside = x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height
    reaches = min(x1, y1) < -EDGE_SLACK_PX or x2 > width + EDGE_SLACK_PX or y2 > height + EDGE_SLACK_PX
    if outside or reaches:
        where = f"bbox: ({x1:g}, {y1:g}) to ({x2:g}, {y2:g})"
        page = f"outside its page of {width} x {height} px"
        if outside:
            raise _Unusable(f"{where} lies {page}; left out", "suspect")
        complain(f"{where} reaches {page}", "suspect")


def _compare(outline: _Outline, box: Box, area_px2: float, complain: Complain) -> None:
    """Name a box or area that is not its outline's; both stay as written, since evaluation goes by them."""
    width, height = box[2] - box[0], box[3] - box[1]
    apart = max(abs(own - written) for own, written in zip(outline.box, box, strict=True))
    if apart > max(BOX_SLACK_PX, BOX_SLACK_SHARE * max(width, height)):
        spans = ", ".join(f"{value:g}" for value in outline.box)
        complain(f"bbox: is not around the outline, which spans x1 y1 x2 y2 = {spans}", "suspect")
    if abs(area_px2 - outline.area_px2) > AREA_SLACK_SHARE * outline.area_px2 + width + height:
        complain(f"area: {area_px2:g} px² is not the outline's, which is {outline.area_px2:g}", "suspect")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """``value`` in a few words, whatever JSON made of it."""
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    if isinstance(value, dict):
        return f"an object of {len(value):,} keys"
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else "a huge number"
    return f"{value:g}"
