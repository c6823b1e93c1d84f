"""A page as annotators leave it: a picture's size and the regions drawn in it, whatever file they came from.

What readers of COCO instances and PAGE XML return and their writers take. Coordinates are px of the picture as it is
shown, from its upper left corner; a polygon is ``(N, 2)`` float64 ``x y``, closed by itself, kept as exactly as its
file has it. No picture is opened here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ligera.data.annotations import Problem
from ligera.data.outlines import outlines_of
from ligera.data.rle import Rle
from ligera.records import Detections, Targets

__all__ = ["Page", "PageSet", "Region", "is_class_name", "polygon_area", "regions_of", "targets_of"]

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One region of class ``name``: an outline as ``polygons`` (its parts) or a ``mask``, or a ``box`` alone.

    ``box`` ``(4,)`` float64 ``x1 y1 x2 y2`` px and ``area_px2`` are those of the outline where not given. A ``crowd``
    holds many objects and is neither right nor wrong to detect; ``key`` is what its file calls it; ``score``, 0 to 1,
    stands with regions that a model found. Raises ``ValueError`` for a region without any extent.
    """

    name: str
    polygons: tuple[np.ndarray, ...] = ()
    box: np.ndarray | None = None
    mask: Rle | None = None
    crowd: bool = False
    area_px2: float | None = None
    key: str = ""
    score: float | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "polygons", tuple(_polygon(part) for part in self.polygons))
        if self.polygons and self.mask is not None:
            raise ValueError("expected an outline as polygons or as a mask, got both")
        box = np.array(self.outline_box() if self.box is None else self.box, np.float64)
        x1, y1, x2, y2 = box.tolist() if box.shape == (4,) else (math.nan,) * 4
        if not (-math.inf < x1 < x2 < math.inf and -math.inf < y1 < y2 < math.inf):
            raise ValueError(f"expected an outline or a box x1 y1 x2 y2 of some extent, got {box}")
        box.flags.writeable = False
        put(self, "box", box)
        if self.area_px2 is None:
            put(self, "area_px2", self.outline_area_px2())

    def outline_box(self) -> np.ndarray | None:
        """``x1 y1 x2 y2`` px around the outline; ``None`` where there is none."""
        if self.mask is not None:
            return self.mask.box()
        if not self.polygons:
            return None
        points = self.polygons[0] if len(self.polygons) == 1 else np.concatenate(self.polygons)
        return np.concatenate([points.min(axis=0), points.max(axis=0)])

    def outline_parts(self) -> tuple[np.ndarray, ...]:
        """The outline as polygons ``(N, 2)`` whatever it is kept as: a mask's along its pixels, or else the box."""
        if self.mask is not None:
            return outlines_of(self.mask.pixels())
        x1, y1, x2, y2 = self.box
        return self.polygons or (np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]),)

    def outline_area_px2(self) -> float:
        """Area of the outline (parts that overlap count twice), or of the box where there is no outline."""
        if self.mask is not None:
            return float(self.mask.area_px2)
        if self.polygons:
            return sum(polygon_area(part) for part in self.polygons)
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A picture of ``width`` x ``height`` px and its ``regions``.

    ``name`` is the picture's path as its file writes it, ``path`` where it is found (or would be), ``key`` what the
    file calls the page.
    """

    name: str
    path: Path
    width: int
    height: int
    regions: tuple[Region, ...] = ()
    key: str = ""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"expected a page of at least one pixel, got {self.width} x {self.height}")


@dataclass(frozen=True, slots=True, eq=False)
class PageSet:
    """Pages in the order of their ``file`` (a folder, for PAGE XML), their classes, and every problem met on the way.

    ``names`` holds the classes, ``category_ids`` the number that COCO files give each; ``unmapped`` counts by tag the
    regions of PAGE XML files that were left out because the recipe gives their tag no class.
    """

    file: Path
    pages: tuple[Page, ...]
    names: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    category_ids: tuple[int, ...] = ()
    unmapped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.category_ids:
            object.__setattr__(self, "category_ids", tuple(range(1, len(self.names) + 1)))
        if not len(self.names) == len(set(self.names)) == len(set(self.category_ids)) == len(self.category_ids):
            raise ValueError(f"names: expected each class once with its own number, got {self.names}")

    def __len__(self) -> int:
        return len(self.pages)

    @property
    def region_count(self) -> int:
        return sum(len(page.regions) for page in self.pages)


def is_class_name(text: object) -> bool:
    """Whether what a stranger wrote may name a class: a line of printable text, not too long to show."""
    return isinstance(text, str) and bool(text.strip()) and len(text) <= LONGEST_NAME and text.isprintable()


def polygon_area(points: np.ndarray) -> float:
    """Area in px² that ``(N, 2)`` points enclose (the shoelace formula; turns that cross each other cancel)."""
    # Measured from one of its own points, as products of large coordinates would swallow a small polygon.
    x, y = points.T - points[0][:, None]
    return abs(float(x[:-1] @ y[1:] - y[:-1] @ x[1:])) / 2


def targets_of(page: Page, names: Sequence[str]) -> Targets:
    """The page's boxes for a detector of the classes ``names``; crowds become regions to ignore."""
    places = {name: place for place, name in enumerate(names)}
    known = [region for region in page.regions if region.name in places]
    single = [region for region in known if not region.crowd]
    return Targets(
        np.array([region.box for region in single]).reshape(-1, 4),
        np.array([places[region.name] for region in single], np.int64),
        ignore=np.array([region.box for region in known if region.crowd]).reshape(-1, 4),
    )


def regions_of(found: Detections) -> tuple[Region, ...]:
    """Detections as regions that a writer takes, best first; those without any extent are left out."""
    regions = []
    for i in range(len(found)):
        box = found.boxes[i].astype(np.float64)
        if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
            continue
        parts = _enclosing(found.polygons[i]) if found.polygons is not None else ()
        name, score = found.names[int(found.labels[i])], float(found.scores[i])
        regions.append(Region(name, parts, box, key=str(i + 1), score=min(max(score, 0.0), 1.0)))
    return tuple(regions)


def _enclosing(parts: Iterable[np.ndarray]) -> tuple[np.ndarray, ...]:
    return tuple(part for part in parts if len(part) >= 3)


def _polygon(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise ValueError(f"polygons: expected (N, 2) with three points or more, got {points.shape}")
    view = points.view()
    view.flags.writeable = False
    return view
