"""``ligera classify``: pictures in, one class for each out."""

from __future__ import annotations

from itertools import islice
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
    from ligera.deploy.classifying.classifier import Classification

MOST_LABELS_SAID = 5
MOST_SCORES_SAID = 3


def classify(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Picture, folder, glob, video file, camera index, or - for stdin."),
    ],
    *,
    model: Annotated[str, typer.Option("--model", "-m", help="Built-in name or bundle file of a classifier.")],
    top: Annotated[int, typer.Option(min=1, help="How many of the best scores to give.")] = 5,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.", show_default="runs/classify/NAME, or none with --json")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per picture on stdout, nothing else.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
) -> None:
    """Say of what class pictures are.

    A contact sheet and classifications.jsonl go to a fresh folder under runs/classify, whose path is printed. A picture
    that cannot be read gets a row with its error, and the exit code is 2 at the end.
    """
    import cv2

    from ligera.deploy.classifying.classifier import Classifier
    from ligera.deploy.classifying.results import ClassifiedFolder, ClassifiedShot, result_names
    from ligera.deploy.sources import plan

    planned = plan(sources)
    if out is not None:
        refuse_overwriting(planned, out, result_names(planned))
    if threads is not None:
        # resizing and colour conversion run on OpenCV's own threads
        cv2.setNumThreads(threads)
    classifier = Classifier.load(model, threads=threads, runtime=runtime)
    folder = out
    if folder is None and not as_json:
        folder = fresh_folder("classify", sources[0])
    tally = Tally(WORDS)
    found = results(planned, classifier.classify, lambda *result: ClassifiedShot(*result, top))
    writer = None if folder is None else ClassifiedFolder(folder)
    interrupted = look_through(found, planned, tally, writer, as_json)
    asked = {"sources": sources, "model": model, "runtime": runtime, "threads": threads, "top": top}
    record = asked | {"pictures": tally.pictures, "labels": dict(tally.labels.most_common())}
    conclude(tally, folder, record, _total(tally), as_json=as_json, interrupted=interrupted)


def _total(tally: Tally) -> str:
    """``12 pictures: 7 cat, 5 dog``."""
    pictures = f"{tally.pictures:,} picture{'s' * (tally.pictures != 1)}"
    counts = [f"{count:,} {label}" for label, count in tally.labels.most_common(MOST_LABELS_SAID)]
    others = len(tally.labels) - len(counts)
    counts += [f"{others:,} more classes"] if others else []
    return f"{pictures}: {', '.join(counts)}" if counts else pictures


def _line(found: Classification) -> str:
    """The label with its score, and the next best that are not out of the question."""
    others = islice(found.scores.items(), 1, MOST_SCORES_SAID)
    more = ", ".join(f"{label} {score:.2f}" for label, score in others if score >= 0.005)
    return f"{found.label} {found.score:.2f}" + (f" ({more})" if more else "")


def _cells(found: Classification) -> tuple[str, str]:
    return found.label, f"{found.score:.2f}"


WORDS = Words("classifying", ("label", "score"), _line, _cells, labels=lambda found: {found.label: 1}, left=2)
