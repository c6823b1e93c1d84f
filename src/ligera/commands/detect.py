"""``ligera detect``: pictures in, faces or the regions of pages out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.looking import (
    Tally,
    Words,
    conclude,
    fresh_folder,
    look_through,
    refuse_overwriting,
    results,
)
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.detector import Detector
    from ligera.deploy.sources import PlannedSource
    from ligera.records import Detections

DEFAULT_MODEL = "face"
RESULT_SUFFIXES = (".jpg", ".png", ".mp4")
MOST_SCORES_SAID = 8


def detect(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Picture, folder, glob, video file, camera index, or - for stdin."),
    ],
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Built-in name, bundle file, or KIND:FILE of another maker's detector.")
    ] = DEFAULT_MODEL,
    score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Least score to report.", show_default="the model's, mostly 0.5")
    ] = None,
    max_side: Annotated[
        int | None, typer.Option(min=32, help="Search at this long side at most, px.", show_default="1280")
    ] = None,
    tile: Annotated[
        int | None, typer.Option(min=32, help="Also search tiles of this side, px: small faces in large pictures.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.", show_default="runs/detect/NAME, or none with --json")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per picture on stdout, nothing else.")] = False,
    save_crops: Annotated[bool, typer.Option(help="Save each face or region as a picture of its own.")] = False,
    page_xml: Annotated[
        bool, typer.Option("--page-xml", help="Of a layout detector: also a PAGE XML file for each page.")
    ] = False,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SELECTOR=CLASS",
            help="What --page-xml calls a class, such as MusicRegion=staff; may be repeated.",
            show_default="as is usual for its name",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
) -> None:
    """Find faces in pictures, or with a layout detector the regions of pages.

    Annotated pictures and detections.jsonl go to a fresh folder under runs/detect, whose path is printed. A picture
    that cannot be read gets a row with its error, and the exit code is 2 at the end.
    """
    import cv2

    from ligera.deploy.detector import Detector
    from ligera.deploy.results import Result, ResultFolder
    from ligera.deploy.runtimes import for_live
    from ligera.deploy.sources import plan

    planned = plan(sources)
    if page_xml:
        _expect_pages(planned, out)
    elif tag:
        raise UsageError("--tag: says how --page-xml calls classes; add --page-xml")
    if out is not None:
        refuse_overwriting(planned, out, [f"{entry.target}{suffix}" for entry in planned for suffix in RESULT_SUFFIXES])
    if threads is not None:
        # resizing and colour conversion run on OpenCV's own threads
        cv2.setNumThreads(threads)
    live = any(entry.kind == "camera" for entry in planned)
    detector = Detector.load(model, threads=threads, runtime=for_live(runtime) if live else runtime)
    options = {"score": score, "max_side": max_side, "tile": tile}
    detector.check_options(**options)
    page_tags = _page_tags(detector, tag or []) if page_xml else None
    folder = out
    if folder is None and (save_crops or page_xml or not as_json):
        folder = fresh_folder("detect", sources[0])
    words, counted = (REGION_WORDS, _regions) if detector.task == "detect-regions" else (WORDS, _faces)
    tally = Tally(words)
    found = results(planned, lambda picture: detector.detect(picture, **options), Result)
    writer = None if folder is None else ResultFolder(folder, crops=save_crops, page_tags=page_tags)
    interrupted = look_through(found, planned, tally, writer, as_json)
    asked = {"sources": sources, "model": model, "runtime": runtime, "threads": threads, **options}
    detections = tally.labels.total()
    total = f"{counted(detections)} in {tally.pictures:,} picture{'s' * (tally.pictures != 1)}"
    if page_tags is not None:
        asked["page_tags"] = page_tags
    record = asked | {"pictures": tally.pictures, "detections": detections}
    conclude(tally, folder, record, total, as_json=as_json, interrupted=interrupted)


def _expect_pages(planned: Iterable[PlannedSource], out: Path | None) -> None:
    """Refuse what has no pages, and a folder in which PAGE XML that someone else made would be overwritten."""
    for entry in planned:
        if entry.kind in ("video", "camera"):
            raise UsageError(f"--page-xml: {entry.name} is a {entry.kind}, whose frames are no pages; leave it out")
        if out is not None and (out / f"{entry.target}.xml").exists() and not (out / "detections.jsonl").exists():
            raise UsageError(f"--out {out}: {entry.target}.xml there is not of an earlier run; choose another folder")


def _page_tags(detector: Detector, asked: list[str]) -> Mapping[str, str]:
    from ligera.deploy.layout.engine import LayoutEngine
    from ligera.deploy.layout.page_files import parse_tags, tags_to_write

    if not isinstance(detector.engine, LayoutEngine):
        raise UsageError(f"--page-xml: {detector.name} finds faces, which PAGE XML has no regions for; leave it out")
    return tags_to_write(detector.engine.card.labels, parse_tags(asked))


def _faces(count: int) -> str:
    return f"{count:,} face{'s' * (count != 1)}"


def _regions(count: int) -> str:
    return f"{count:,} region{'s' * (count != 1)}"


def _line(found: Detections) -> str:
    scores = ", ".join(f"{value:.2f}" for value in found.scores[:MOST_SCORES_SAID])
    more = ", ..." if len(found) > MOST_SCORES_SAID else ""
    return _faces(len(found)) + (f" ({scores}{more})" if scores else "")


def _region_line(found: Detections) -> str:
    counts = ", ".join(f"{count:,} {name}" for name, count in _by_class(found).items())
    return _regions(len(found)) + (f" ({counts})" if counts else "")


def _by_class(found: Detections) -> Counter[str]:
    """How many there are of each class that was found, in the model's order."""
    return Counter(found.names[label] for label in sorted(found.labels.tolist()))


def _cells(found: Detections) -> tuple[str, str]:
    return str(len(found)), f"{found.scores.max():.2f}" if len(found) else "-"


WORDS = Words("detecting", ("faces", "best"), _line, _cells, labels=lambda found: {"face": len(found)})
REGION_WORDS = Words("detecting", ("regions", "best"), _region_line, _cells, labels=_by_class)
