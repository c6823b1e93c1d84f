"""``ligera detect``: pictures in, faces out."""

from __future__ import annotations

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

if TYPE_CHECKING:
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
    save_crops: Annotated[bool, typer.Option(help="Save each face as a picture of its own.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
) -> None:
    """Find faces in pictures.

    Annotated pictures and detections.jsonl go to a fresh folder under runs/detect, whose path is printed. A picture
    that cannot be read gets a row with its error, and the exit code is 2 at the end.
    """
    import cv2

    from ligera.deploy.detector import Detector
    from ligera.deploy.results import Result, ResultFolder
    from ligera.deploy.sources import plan

    planned = plan(sources)
    if out is not None:
        refuse_overwriting(planned, out, [f"{entry.target}{suffix}" for entry in planned for suffix in RESULT_SUFFIXES])
    if threads is not None:
        # resizing and colour conversion run on OpenCV's own threads
        cv2.setNumThreads(threads)
    detector = Detector.load(model, threads=threads, runtime=runtime)
    folder = out
    if folder is None and (save_crops or not as_json):
        folder = fresh_folder("detect", sources[0])
    options = {"score": score, "max_side": max_side, "tile": tile}
    tally = Tally(WORDS)
    found = results(planned, lambda picture: detector.detect(picture, **options), Result)
    writer = None if folder is None else ResultFolder(folder, crops=save_crops)
    interrupted = look_through(found, planned, tally, writer, as_json)
    asked = {"sources": sources, "model": model, "runtime": runtime, "threads": threads, **options}
    detections = tally.labels.total()
    total = f"{_faces(detections)} in {tally.pictures:,} picture{'s' * (tally.pictures != 1)}"
    record = asked | {"pictures": tally.pictures, "detections": detections}
    conclude(tally, folder, record, total, as_json=as_json, interrupted=interrupted)


def _faces(count: int) -> str:
    return f"{count:,} face{'s' * (count != 1)}"


def _line(found: Detections) -> str:
    scores = ", ".join(f"{value:.2f}" for value in found.scores[:MOST_SCORES_SAID])
    more = ", ..." if len(found) > MOST_SCORES_SAID else ""
    return _faces(len(found)) + (f" ({scores}{more})" if scores else "")


def _cells(found: Detections) -> tuple[str, str]:
    return str(len(found)), f"{found.scores.max():.2f}" if len(found) else "-"


WORDS = Words("detecting", ("faces", "best"), _line, _cells, labels=lambda found: {"face": len(found)})
