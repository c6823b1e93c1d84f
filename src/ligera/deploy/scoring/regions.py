"""A layout detector over annotated pages, scored: protocol ``coco``.

In: a :class:`Detector` of regions and a COCO file or PAGE XML, or a folder of either. Out: :class:`RegionScores`, COCO
average precision of boxes and of masks. The masks are the outlines that detection gives its users, filled again, so
that what is scored is what they get. Pages are searched one by one; only their detections are kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.data.check import detect_format
from ligera.data.coco import read_coco
from ligera.data.pagexml import read_pagexml
from ligera.data.pictures import read_picture
from ligera.data.regions import Page, PageSet
from ligera.deploy.detector import Detector
from ligera.deploy.layout.page_files import tags_to_read
from ligera.deploy.scoring.faces import Watch, detected_in, input_rule
from ligera.errors import DataError, PictureError, UsageError
from ligera.metrics import coco
from ligera.records import Detections, Picture

__all__ = ["FIGURES", "RegionScores", "evaluate_regions"]

PROTOCOL = "coco"
# The customary one for Mask R-CNN, also when it is validated in training: what is less sure hardly changes AP.
LOWEST_SCORE = 0.05
FIGURES = ("ap", "ap50", "ap75", "ap_medium", "ap_large")


@dataclass(frozen=True, slots=True)
class RegionScores:
    """COCO's figures for ``boxes`` and ``masks`` (``None`` where some regions of the data have no outline).

    ``regions`` counts those to find of each of the model's classes; ``left_out`` names classes that only the data has.
    """

    model: str
    data: str
    protocol: str
    boxes: coco.CocoResult
    masks: coco.CocoResult | None
    regions: Mapping[str, int]
    left_out: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The scores ready for JSON, those of which nothing is known as null."""
        kinds = {"box": self.boxes, "mask": self.masks}
        classes = {
            name: {"regions": count}
            | {kind: None if of is None else _known(of.by_class[name]) for kind, of in kinds.items()}
            for name, count in self.regions.items()
        }
        return {
            "model": self.model,
            "data": self.data,
            "protocol": self.protocol,
            "pictures": self.boxes.pictures,
            "regions": self.boxes.regions,
            **{kind: None if of is None else _known(of.overall) for kind, of in kinds.items()},
            "classes": classes,
            "left_out": list(self.left_out),
        }


def evaluate_regions(
    detector: Detector,
    data: str | Path,
    *,
    protocol: str | None = None,
    max_side: int | None = None,
    tags: Mapping[str, str] | None = None,
    watch: Watch[Page] | None = None,
) -> RegionScores:
    """Run the layout detector ``detector`` over the pages at ``data`` and score it by ``protocol`` ``coco``.

    Pages are searched at the model's own size unless ``max_side`` (px) says less. ``tags`` maps selectors of PAGE XML
    to the model's classes (``data.page_tags``); classes without one are known by their type. ``watch(pages, count)``
    may follow the pages on their way. Raises ``DataError`` for annotations or pictures that cannot be read or of none
    of the model's classes, ``UsageError`` for a protocol or data that does not fit, and ``MissingExtra`` without
    faster-coco-eval, before any page is searched.
    """
    if detector.task != "detect-regions":
        raise UsageError(f"--protocol {PROTOCOL} is for layout detectors; {detector.name} finds faces: ap50, widerface")
    if protocol not in (None, PROTOCOL):
        raise UsageError(f"--protocol {protocol}: {detector.name} finds regions of pages, which {PROTOCOL} scores")
    labels: tuple[str, ...] = detector.engine.card.labels  # type: ignore[attr-defined]
    pages = _read(data, labels, tags)
    left_out = _left_out(labels, pages, data)
    pairs: list[tuple[Detections, Page]] = []

    def searched() -> Iterator[tuple[Detections, Page]]:
        """Each page searched once, when the first of the two scores asks for it."""
        for page, found in detected_in(detector, pages.pages, _read_page, LOWEST_SCORE, max_side, watch):
            pairs.append((found, page))
            yield found, page

    boxes = coco.evaluate(searched(), labels)
    masks = coco.evaluate(pairs, labels, kind="mask") if _outlined(labels, pages) else None
    return RegionScores(
        detector.name,
        str(data),
        _protocol(
            boxes, masks, f"{input_rule(detector, max_side)}, single scale, scores from {LOWEST_SCORE}", left_out
        ),
        boxes,
        masks,
        _counted(labels, pages),
        left_out,
    )


def _read(data: str | Path, labels: tuple[str, ...], tags: Mapping[str, str] | None) -> PageSet:
    layout = detect_format(Path(data))
    if layout == "pagexml":
        return read_pagexml(data, tags_to_read(labels, tags) if tags else None)
    if layout != "coco":
        raise UsageError(f"{data}: holds {layout} data; a layout detector is scored on COCO instances or PAGE XML")
    if tags:
        raise UsageError(f"--tag: is for PAGE XML; {data} is COCO, whose classes have names")
    return read_coco(data)


def _left_out(labels: tuple[str, ...], pages: PageSet, data: str | Path) -> tuple[str, ...]:
    """Classes of regions that the model does not know; ``DataError`` where it knows none of them."""
    there = dict.fromkeys(region.name for page in pages.pages for region in page.regions) | dict(pages.unmapped)
    if not there:
        raise DataError(f"{data}: holds no regions to score a model on")
    if not set(there) & set(labels):
        advice = "; say which are the same with --tag SELECTOR=CLASS" if pages.file.suffix != ".json" else ""
        raise DataError(f"{data}: its classes are {_some(there)}, the model's {_some(labels)}{advice}")
    return tuple(name for name in there if name not in labels)


def _some(names: Any) -> str:
    first = [repr(name) for name in names][:5]
    return ", ".join(first) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _read_page(page: Page) -> Picture:
    picture = read_picture(page.path)
    if (picture.width, picture.height) != (page.width, page.height):
        raise PictureError(
            f"{page.path}: is {picture.width} x {picture.height} px, but annotated as {page.width} x {page.height}"
        )
    return picture


def _outlined(labels: tuple[str, ...], pages: PageSet) -> bool:
    known = (region for page in pages.pages for region in page.regions if region.name in labels)
    return all(region.polygons or region.mask is not None for region in known)


def _counted(labels: tuple[str, ...], pages: PageSet) -> dict[str, int]:
    counts = Counter(region.name for page in pages.pages for region in page.regions if not region.crowd)
    return {label: counts[label] for label in labels}


def _protocol(boxes: coco.CocoResult, masks: coco.CocoResult | None, inference: str, left_out: tuple[str, ...]) -> str:
    outlines = "no mask AP, as some regions are a box alone" if masks is None else "mask AP alike, of outlines"
    others = f"; without {_some(left_out)}, which the model does not know" if left_out else ""
    return f"{boxes.protocol}; {outlines}; {inference}{others}"


def _known(scores: coco.CocoScores) -> dict[str, float | None]:
    """JSON has no NaN, and unknown is not zero."""
    values = {name: getattr(scores, name) for name in FIGURES}
    return {name: None if math.isnan(value) else value for name, value in values.items()}
