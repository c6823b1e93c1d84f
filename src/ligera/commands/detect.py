"""``ligera detect``: pictures in, faces out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say, with_progress
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.detector import Detector
    from ligera.deploy.results import Result, ResultFolder
    from ligera.deploy.sources import PlannedSource

DEFAULT_MODEL = "face"
MOST_TABLE_ROWS = 20
RESULT_SUFFIXES = (".jpg", ".png", ".mp4")


@dataclass(slots=True)
class Tally:
    """What a run has seen so far."""

    pictures: int = 0
    detections: int = 0
    failed: int = 0
    searching_ms: float = 0.0
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, result: Result) -> None:
        if result.found is None:
            self.failed += 1
            return
        self.pictures += 1
        self.detections += len(result.found)
        self.searching_ms += result.duration_ms
        if len(self.rows) < MOST_TABLE_ROWS:
            best = f"{result.found.scores.max():.2f}" if len(result.found) else "-"
            cells = (_name(result), str(len(result.found)), best, f"{result.duration_ms:.1f}")
            self.rows.append(cells)


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
    from ligera.deploy.sources import plan
    from ligera.files import new_run_folder

    planned = plan(sources)
    if out is not None:
        _keep_sources(planned, out)
    if threads is not None:
        # resizing and colour conversion run on OpenCV's own threads
        cv2.setNumThreads(threads)
    detector = Detector.load(model, threads=threads, runtime=runtime)
    folder = out
    if folder is None and (save_crops or not as_json):
        folder = new_run_folder(Path("runs"), "detect", _run_name(sources[0]))
    options = {"score": score, "max_side": max_side, "tile": tile}
    tally, interrupted = Tally(), False
    with ExitStack() as stack:
        stack.enter_context(quiet_libraries())
        writer = _open(stack, folder, save_crops)
        results = _results(detector, planned, options)
        try:
            for result in with_progress(results, _count(planned), "detecting"):
                _take(result, tally, writer, as_json)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            results.close()
    if folder is not None:
        _record(folder, {"sources": sources, "model": model, "runtime": runtime, "threads": threads, **options}, tally)
    _close(tally, folder, as_json)
    if interrupted:
        complain("ligera: interrupted")
    raise typer.Exit(130 if interrupted else 2 if tally.failed else 0)


def _keep_sources(planned: list[PlannedSource], out: Path) -> None:
    """Refuse a folder in which a result would take the place of a picture or video that was given."""
    own = {Path(entry.name).resolve() for entry in planned if entry.kind in ("picture", "video")}
    folder = out.resolve()
    for entry in planned:
        for suffix in RESULT_SUFFIXES:
            if folder / f"{entry.target}{suffix}" in own:
                raise UsageError(f"--out {out}: the result would overwrite {entry.name}; choose another folder")


def _run_name(source: str) -> str:
    if source == "-":
        return "stdin"
    return f"camera{source}" if source.isdigit() else Path(source).resolve().stem


def _open(stack: ExitStack, folder: Path | None, crops: bool) -> ResultFolder | None:
    if folder is None:
        return None
    from ligera.deploy.results import ResultFolder

    return stack.enter_context(ResultFolder(folder, crops=crops))


def _results(detector: Detector, planned: list[PlannedSource], options: dict[str, Any]) -> Iterator[Result]:
    from ligera.deploy.results import Result
    from ligera.deploy.sources import shots

    for shot in shots(planned):
        if shot.picture is None:
            yield Result(shot, None)
            continue
        started = time.perf_counter()
        found = detector.detect(shot.picture, **options)
        yield Result(shot, found, (time.perf_counter() - started) * 1e3)


def _take(result: Result, tally: Tally, writer: ResultFolder | None, as_json: bool) -> None:
    tally.add(result)
    if writer is not None:
        writer.add(result)
    if as_json:
        print_json(result.row())
    if result.found is None:
        complain(f"ligera: {result.shot.error}")
    elif not as_json and not sys.stdout.isatty():
        scores = ", ".join(f"{value:.2f}" for value in result.found.scores[:8])
        more = ", ..." if len(result.found) > 8 else ""
        say(f"{_name(result)}: {_faces(len(result.found))}" + (f" ({scores}{more})" if scores else ""))


def _close(tally: Tally, folder: Path | None, as_json: bool) -> None:
    """The table, the totals and where the files are; on standard error where standard output is for JSON."""
    if not as_json and sys.stdout.isatty() and tally.rows:
        print_table(("picture", "faces", "best", "ms"), tally.rows)
        if tally.pictures > len(tally.rows):
            say(f"... and {tally.pictures - len(tally.rows):,} more")
    mean = f", {tally.searching_ms / tally.pictures:.1f} ms each" if tally.pictures else ""
    failed = f", {tally.failed:,} failed" if tally.failed else ""
    summary = f"{_faces(tally.detections)} in {tally.pictures:,} picture{'s' * (tally.pictures != 1)}{mean}{failed}"
    (complain if as_json else say)(summary + (f" -> {folder}" if folder else ""))


def _record(folder: Path, options: dict[str, Any], tally: Tally) -> None:
    """What was asked, beside what came of it."""
    from ligera import __version__
    from ligera.files import write_bytes

    counts = {"pictures": tally.pictures, "detections": tally.detections, "failed": tally.failed}
    content = json.dumps({"ligera": __version__, **options, **counts}, indent=2) + "\n"
    write_bytes(folder / "run.json", content.encode())


def _count(planned: list[PlannedSource]) -> int | None:
    return None if any(entry.kind in ("video", "camera") for entry in planned) else len(planned)


def _name(result: Result) -> str:
    frame = result.shot.frame
    return result.shot.source.name + ("" if frame is None else f"#{frame}")


def _faces(count: int) -> str:
    return f"{count:,} face{'s' * (count != 1)}"
