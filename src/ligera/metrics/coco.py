"""COCO average precision and recall for boxes and masks, over all classes and for each.

In: pairs of :class:`Detections` and the annotated page they were made on (anything with the attributes of
:class:`AnnotatedPage`, as ``ligera.data.regions.Page`` has), one for each picture, in px of that picture. Out:
:class:`CocoResult`. The protocol is that of the COCO detection challenge (Lin et al. 2014 and its reference program):
ten IoU thresholds 0.50 to 0.95, 101 recall levels, crowd regions neither right nor wrong, at most ``max_detections`` of
a class in a picture. The work is done by faster-coco-eval, which only this file imports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np

from ligera.errors import DataError, MissingExtra
from ligera.records import Detections

__all__ = ["AREA_EDGES_PX2", "AnnotatedPage", "AnnotatedRegion", "CocoResult", "CocoScores", "Kind", "evaluate"]

Kind = Literal["box", "mask"]
AREA_EDGES_PX2 = (32.0**2, 96.0**2)
_RANGES = ("all", "small", "medium", "large")
_FEWER = (1, 10)
_AT_50, _AT_75 = 0, 5  # places of IoU 0.50 and 0.75 among the ten thresholds


class RunLengths(Protocol):
    """A mask as lengths of runs of 0 and 1 by turns, down the columns, starting with 0."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def counts(self) -> np.ndarray: ...


class AnnotatedRegion(Protocol):
    """One region of class ``name``: its ``box`` ``(4,)`` ``x1 y1 x2 y2`` px, its outline as ``polygons`` ``(N, 2)`` px
    or as a ``mask``, its ``area_px2`` as annotated, and whether it is a ``crowd`` of many objects."""

    @property
    def name(self) -> str: ...
    @property
    def box(self) -> np.ndarray: ...
    @property
    def polygons(self) -> Sequence[np.ndarray]: ...
    @property
    def mask(self) -> RunLengths | None: ...
    @property
    def area_px2(self) -> float: ...
    @property
    def crowd(self) -> bool: ...


class AnnotatedPage(Protocol):
    """A picture of ``width`` x ``height`` px and the regions drawn in it."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def regions(self) -> Sequence[AnnotatedRegion]: ...


@dataclass(frozen=True, slots=True)
class CocoScores:
    """Precision and recall, 0 to 1, averaged over IoU 0.50 to 0.95 where no other is named; NaN with nothing to find.

    ``small`` is up to 32², ``large`` from 96² px² on, as annotated. ``ar_1`` and ``ar_10`` allow 1 and 10 detections of
    a class in a picture, ``ar`` as many as all other figures.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar: float
    ar_1: float
    ar_10: float
    ar_small: float
    ar_medium: float
    ar_large: float


@dataclass(frozen=True, slots=True)
class CocoResult:
    """``overall`` is the mean over the classes that have regions; ``regions`` counts those to find, without crowds."""

    overall: CocoScores
    by_class: dict[str, CocoScores]
    regions: int
    pictures: int
    protocol: str


def evaluate(
    pairs: Iterable[tuple[Detections, AnnotatedPage]],
    names: Sequence[str],
    *,
    kind: Kind = "box",
    masks: Iterable[Sequence[np.ndarray]] | None = None,
    max_detections: int = 100,
) -> CocoResult:
    """COCO's twelve figures for the classes ``names``; regions and detections of any other class are left out.

    ``kind`` "mask" compares outlines: each picture's ``masks``, ``(N, H, W)`` bool in the order of its detections, or
    where none are given the detections' own polygons. Pairs and masks are taken one at a time, so both may be
    generators. Raises ``DataError`` for a region without an outline where one is needed, ``ValueError`` for detections
    that are not finite or lack theirs, ``MissingExtra`` without faster-coco-eval.
    """
    engine = _engine()
    classes = _numbered(names, kind, max_detections)
    truth: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": place, "name": name} for name, place in classes.items()],
    }
    found: list[dict[str, Any]] = []
    for number, (detections, page, own_masks) in enumerate(_triples(pairs, masks), start=1):
        size = (page.height, page.width)
        truth["images"].append({"id": number, "height": page.height, "width": page.width})
        for row in _truth_rows(engine, page, classes, kind):
            truth["annotations"].append({"id": len(truth["annotations"]) + 1, "image_id": number, **row})
        for row in _found_rows(engine, detections, own_masks, classes, kind, size):
            found.append({"image_id": number, **row})
    evaluation = _run(engine, truth, found, kind, max_detections)
    places = range(len(classes))
    return CocoResult(
        overall=_scores(evaluation, list(places)),
        by_class={name: _scores(evaluation, [place]) for name, place in zip(classes, places, strict=True)},
        regions=sum(not row["iscrowd"] for row in truth["annotations"]),
        pictures=len(truth["images"]),
        protocol=f"COCO {kind} AP, IoU 0.50:0.95, at most {max_detections} detections of a class in a picture",
    )


def _numbered(names: Sequence[str], kind: Kind, max_detections: int) -> dict[str, int]:
    """Each class with its number, from 1, once the arguments make sense."""
    if kind not in ("box", "mask"):
        raise ValueError(f"kind: expected 'box' or 'mask', got {kind!r}")
    if max_detections <= max(_FEWER):
        raise ValueError(f"max_detections: expected more than {max(_FEWER)}, got {max_detections}")
    classes = {name: place for place, name in enumerate(names, start=1)}
    if not classes or len(classes) != len(names):
        raise ValueError(f"names: expected classes, each once, got {tuple(names)}")
    return classes


def _engine() -> ModuleType:
    try:
        import faster_coco_eval
    except ImportError:
        raise MissingExtra("faster-coco-eval", "train", "COCO average precision") from None
    return faster_coco_eval


def _triples(
    pairs: Iterable[tuple[Detections, AnnotatedPage]], masks: Iterable[Sequence[np.ndarray]] | None
) -> Iterator[tuple[Detections, AnnotatedPage, Sequence[np.ndarray] | None]]:
    if masks is None:
        yield from ((detections, page, None) for detections, page in pairs)
        return
    for (detections, page), own in zip(pairs, masks, strict=True):
        if len(own) != len(detections):
            raise ValueError(f"masks: expected {len(detections)}, one for each detection, got {len(own)}")
        yield detections, page, own


def _truth_rows(
    engine: ModuleType, page: AnnotatedPage, classes: dict[str, int], kind: Kind
) -> Iterator[dict[str, Any]]:
    for region in page.regions:
        if region.name not in classes:
            continue
        row = {
            "category_id": classes[region.name],
            "bbox": _sides(region.box),
            "area": float(region.area_px2),
            "iscrowd": int(region.crowd),
        }
        if kind == "mask":
            row["segmentation"] = _region_rle(engine, region, page)
        yield row


def _found_rows(
    engine: ModuleType,
    detections: Detections,
    masks: Sequence[np.ndarray] | None,
    classes: dict[str, int],
    kind: Kind,
    size: tuple[int, int],
) -> Iterator[dict[str, Any]]:
    if not np.isfinite(detections.boxes).all() or not np.isfinite(detections.scores).all():
        raise ValueError("detections: expected finite boxes and scores")
    for i in range(len(detections)):
        category = classes.get(detections.names[int(detections.labels[i])])
        if category is None:
            continue
        row: dict[str, Any] = {"category_id": category, "score": float(detections.scores[i])}
        # The area that decides a mask's size must be the mask's own, so its row holds no box.
        if kind == "box":
            row["bbox"] = _sides(detections.boxes[i])
        elif masks is not None:
            row["segmentation"] = _mask_rle(engine, masks[i], size)
        elif detections.polygons is not None:
            row["segmentation"] = _polygons_rle(engine, detections.polygons[i], size)
        else:
            raise ValueError("polygons: expected an outline with each detection, or masks beside them, got neither")
        yield row


def _sides(box: np.ndarray) -> list[float]:
    """``x1 y1 x2 y2`` -> ``x y width height``, in float64 whatever the box is kept in."""
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]


def _region_rle(engine: ModuleType, region: AnnotatedRegion, page: AnnotatedPage) -> dict[str, Any]:
    if region.mask is not None:
        mask = region.mask
        if (mask.height, mask.width) != (page.height, page.width):
            raise DataError(
                f"a mask of {mask.width} x {mask.height} px on a page of {page.width} x {page.height} px; "
                "`ligera data check` names it"
            )
        runs = {"size": [mask.height, mask.width], "counts": [int(count) for count in mask.counts]}
        return engine.mask.frPyObjects(runs, mask.height, mask.width)
    if not len(region.polygons):
        raise DataError(f"a region of class {region.name!r} has a box but no outline; evaluate boxes instead of masks")
    return _polygons_rle(engine, region.polygons, (page.height, page.width))


def _polygons_rle(engine: ModuleType, polygons: Sequence[np.ndarray], size: tuple[int, int]) -> dict[str, Any]:
    # Four numbers would be read as a box, and fewer than three points enclose nothing.
    parts = [np.asarray(polygon, np.float64).ravel().tolist() for polygon in polygons if len(polygon) >= 3]
    if not parts:
        return _mask_rle(engine, np.zeros(size, bool), size)
    return engine.mask.merge(engine.mask.frPyObjects(parts, *size))


def _mask_rle(engine: ModuleType, mask: np.ndarray, size: tuple[int, int]) -> dict[str, Any]:
    mask = np.asarray(mask)
    if mask.shape != size:
        raise ValueError(f"masks: expected {size[0]} x {size[1]} (height x width) as the page, got {mask.shape}")
    return engine.mask.encode(np.asfortranarray(mask != 0, dtype=np.uint8))


def _run(engine: ModuleType, truth: dict[str, Any], found: list[dict[str, Any]], kind: Kind, limit: int) -> Any:
    """Precision ``(T, R, K, A, M)`` and recall ``(T, K, A, M)``, -1 where there is nothing to find."""
    ground = engine.COCO(truth)
    evaluation = engine.COCOeval_faster(ground, ground.loadRes(found), iouType="bbox" if kind == "box" else "segm")
    evaluation.params.maxDets = [*_FEWER, limit]
    low, high = AREA_EDGES_PX2
    evaluation.params.areaRng = [[0, 1e10], [0, low], [low, high], [high, 1e10]]
    evaluation.params.areaRngLbl = list(_RANGES)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval


def _scores(evaluation: Any, classes: list[int]) -> CocoScores:
    precision = np.asarray(evaluation["precision"])[:, :, classes]
    recall = np.asarray(evaluation["recall"])[:, classes]
    small, medium, large = (_RANGES.index(name) for name in ("small", "medium", "large"))
    return CocoScores(
        ap=_mean(precision[:, :, :, 0, -1]),
        ap50=_mean(precision[_AT_50, :, :, 0, -1]),
        ap75=_mean(precision[_AT_75, :, :, 0, -1]),
        ap_small=_mean(precision[:, :, :, small, -1]),
        ap_medium=_mean(precision[:, :, :, medium, -1]),
        ap_large=_mean(precision[:, :, :, large, -1]),
        ar=_mean(recall[:, :, 0, -1]),
        ar_1=_mean(recall[:, :, 0, 0]),
        ar_10=_mean(recall[:, :, 0, 1]),
        ar_small=_mean(recall[:, :, small, -1]),
        ar_medium=_mean(recall[:, :, medium, -1]),
        ar_large=_mean(recall[:, :, large, -1]),
    )


def _mean(values: np.ndarray) -> float:
    """The mean of what is known; NaN where nothing is."""
    known = values[values > -1]
    return float(known.mean()) if known.size else float("nan")
