"""``ligera augment``: a folder of pictures in, a labelled folder of varied pictures out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ligera.commands.terminal import complain, print_json, quiet_libraries, say, with_progress
from ligera.errors import DataError, UsageError

if TYPE_CHECKING:
    from ligera.deploy.augmenting.folder import Augmented
    from ligera.deploy.augmenting.varying import AugmentSettings

STAGES = ("read", "detect", "vary", "write")


@dataclass(slots=True)
class Tally:
    """What a run has seen so far; ``stage_s`` are seconds of work, summed over workers."""

    done: int = 0
    resumed: int = 0
    faceless: int = 0
    pictures: int = 0
    faces: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    stage_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def add(self, result: Augmented) -> None:
        if result.error is not None:
            self.failed.append({"path": result.path, "error": str(result.error)})
            complain(f"ligera: {result.error}")
            return
        self.done += 1
        self.resumed += result.resumed
        self.faceless += not result.found
        self.pictures += result.pictures
        self.faces += result.faces
        for stage, seconds in (result.stage_s or {}).items():
            self.stage_s[stage] += seconds


def augment(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, searched to its depth.")],
    *,
    per_picture: Annotated[int, typer.Option(help="Variations of each picture.")] = 30,
    model: Annotated[
        str, typer.Option("--model", "-m", help="What finds the faces: built-in name, bundle file, or KIND:FILE.")
    ] = "face",
    score: Annotated[float, typer.Option(help="Least score of a face; from half of it on, a region to ignore.")] = 0.5,
    rotation: Annotated[float, typer.Option(help="Most rotation either way, degrees.")] = 30.0,
    max_side: Annotated[int, typer.Option(min=32, max=16_384, help="Long side of a variation at most, px.")] = 1280,
    backgrounds: Annotated[
        bool, typer.Option("--backgrounds", help="Keep pictures in which no face is found, as pictures without faces.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds give other variations.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the result.", show_default="runs/augment/NAME")] = None,
    engine: Annotated[str, typer.Option(help="auto, sequential, threads, processes, async or ray.")] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Pictures worked on at once.", show_default="cores")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The totals as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Vary pictures with faces in size, scale and rotation; boxes and landmarks follow.

    Writes images/, label.txt and ignore.txt in RetinaFace's layout, the same whatever the engine and the workers. Run
    again after an interrupt, it goes on where it was. Pictures in which no face is found are left out, as the detector
    may have missed one. A picture that cannot be read is left out and reported, and the exit code is 2 at the end.
    """
    import cv2

    from ligera.data.engines import check_engine
    from ligera.data.variation import Variation
    from ligera.deploy.augmenting.folder import Augmenting
    from ligera.deploy.augmenting.varying import AugmentSettings, Varier

    check_engine(engine, workers)
    # Pictures side by side, not the rows of one: the engine has the cores.
    cv2.setNumThreads(1)
    try:
        variation = Variation(rotation_deg=rotation, max_side_px=max_side)
    except ValueError as error:
        raise UsageError(str(error)) from None
    settings = AugmentSettings(model, per_picture, seed, score, backgrounds, variation=variation)
    # A model that does not load leaves no folder behind.
    Varier(settings).close()
    target = out if out is not None else _own_folder(folder, settings)
    work = Augmenting(folder, target, settings)
    tally, started = Tally(), time.perf_counter()
    results = work.results(engine, workers)
    try:
        with quiet_libraries():
            for result in with_progress(results, len(work), "augmenting"):
                tally.add(result)
    finally:
        results.close()
    report = _report(tally, target, work.engine or engine, time.perf_counter() - started)
    _record(target, report, settings, engine, workers)
    _close(report, as_json)
    raise typer.Exit(2 if tally.failed else 0)


def _own_folder(source: Path, settings: AugmentSettings) -> Path:
    """``runs/augment/NAME``: the one in which the same work was begun, or a new one."""
    from ligera.data.pictures import find_pictures
    from ligera.deploy.augmenting.folder import header_of, matching_folder
    from ligera.files import new_run_folder

    # Before there is a folder: one step, which fails where there is nothing to vary.
    next(find_pictures(source))
    begun = matching_folder(Path("runs") / "augment", header_of(source, settings))
    return begun or new_run_folder(Path("runs"), "augment", source.resolve().stem)


def _report(tally: Tally, folder: Path, engine: str, elapsed_s: float) -> dict[str, Any]:
    if not tally.pictures and not tally.failed:
        raise DataError(
            f"{folder}: nothing to write, no face was found in {_count(tally.done, 'picture')}; "
            "try a lower --score, or --backgrounds"
        )
    return {
        "folder": str(folder),
        "sources": tally.done,
        "resumed": tally.resumed,
        "without_faces": tally.faceless,
        "pictures": tally.pictures,
        "faces": tally.faces,
        "failed": tally.failed,
        "engine": engine,
        "elapsed_s": round(elapsed_s, 3),
        "stage_s": {stage: round(seconds, 3) for stage, seconds in tally.stage_s.items()},
    }


def _record(folder: Path, report: dict[str, Any], settings: AugmentSettings, engine: str, workers: int | None) -> None:
    """What was asked, what came of it, and what each stage took, beside the result."""
    from dataclasses import asdict

    from ligera import __version__
    from ligera.files import write_bytes

    asked = {"ligera": __version__, "asked_engine": engine, "workers": workers, "settings": asdict(settings)}
    write_bytes(folder / "run.json", (json.dumps(asked | report, indent=2) + "\n").encode("ascii"))


def _close(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    if report["resumed"]:
        say(f"{report['resumed']:,} of {_count(report['sources'], 'picture')} had been done before")
    if report["without_faces"]:
        say(f"no face found in {report['without_faces']:,} of {_count(report['sources'], 'picture')}")
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report["stage_s"].items())
    say(f"{report['elapsed_s']:.1f} s with {report['engine']} (work, all workers together: {stages})")
    failed = f", {len(report['failed']):,} failed" if report["failed"] else ""
    say(f"{_count(report['pictures'], 'picture')} with {_count(report['faces'], 'face')}{failed} -> {report['folder']}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
