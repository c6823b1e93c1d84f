"""What ``ligera eval`` does with layout detectors: its progress, its table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ligera.commands.terminal import complain, print_table, say, with_progress
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.data.regions import Page
    from ligera.deploy.detector import Detector
    from ligera.deploy.scoring.regions import RegionScores
    from ligera.metrics.coco import CocoScores

__all__ = ["score_regions", "show_regions"]

HEADER = ("AP", "AP50", "AP75", "APm", "APl")


def score_regions(
    detector: Detector,
    data: Path,
    *,
    protocol: str | None,
    max_side: int | None,
    min_face: int | None,
    tag: list[str],
) -> RegionScores:
    """The scores of ``detector`` on ``data``; ``UsageError`` for options of other kinds of model."""
    from ligera.deploy.layout.page_files import parse_tags
    from ligera.deploy.scoring.regions import evaluate_regions

    if min_face is not None:
        raise UsageError(f"--min-face is for face detectors; {detector.name} finds regions of pages")

    def watch(pages: Iterable[Page], count: int) -> Iterator[Page]:
        return with_progress(pages, count, "evaluating")

    scores = evaluate_regions(detector, data, protocol=protocol, max_side=max_side, tags=parse_tags(tag), watch=watch)
    if scores.left_out:
        names = ", ".join(scores.left_out)
        complain(f"ligera: {data}: the model does not know the data's {names}; scored without")
    return scores


def show_regions(model: str, scores: RegionScores) -> None:
    """A row for each class: how many regions, and the figures of boxes and of masks."""
    pages = scores.boxes.pictures
    say(f"{model} on {scores.data}: {scores.boxes.regions:,} regions on {pages:,} page{'s' * (pages != 1)}")
    kinds = [("box", scores.boxes)] + ([("mask", scores.masks)] if scores.masks else [])
    header = [
        "class",
        "regions",
        *(f"{kind} {HEADER[0]}" if i == 0 else HEADER[i] for kind, _ in kinds for i in range(5)),
    ]
    rows = [
        (name, f"{count:,}", *(cell for _, of in kinds for cell in _cells(of.by_class[name])))
        for name, count in scores.regions.items()
    ]
    total = f"{sum(scores.regions.values()):,}"
    print_table(header, [*rows, ("all", total, *(cell for _, of in kinds for cell in _cells(of.overall)))])
    say()
    say(scores.protocol)


def _cells(scores: CocoScores) -> list[str]:
    from ligera.deploy.scoring.regions import FIGURES

    values = [getattr(scores, figure) for figure in FIGURES]
    return ["-" if math.isnan(value) else f"{value:.3f}" for value in values]
