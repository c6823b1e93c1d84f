"""``ligera bench``: what a detector costs on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import complain, print_json, print_table, say
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.bench import BenchReport
    from ligera.meter.figure import Figure

COLUMNS = {
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "network_p50_ms": "network ms",
    "overhead_share": "overhead",
    "pictures_per_s": "pictures/s",
    "peak_mb": "peak MB",
    "cold_start_ms": "cold ms",
    "energy_mj": "energy mJ",
    "ratio": "ratio",
}


def bench(
    models: Annotated[list[str], typer.Argument(metavar="MODEL", help="As for detect --model; several take turns.")],
    *,
    versus: Annotated[str | None, typer.Option("--vs", help="Another model to compare each with.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runs: Annotated[int, typer.Option(min=10, help="Detections of each model.")] = 200,
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the picture, px.")] = "640x480",
    picture: Annotated[str | None, typer.Option(help="A picture to use instead of a synthetic one.")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
    force: Annotated[bool, typer.Option(help="Show figures even of a machine too noisy to quote.")] = False,
) -> None:
    """Time detectors: decoded picture in, boxes out, and the network alone within it.

    Models take turns, each in a process of its own. When the machine was not quiet (a calibration loop varied by more
    than 15 %, or other work kept cores busy) the figures are withheld and the reason is given.
    """
    from ligera.deploy.bench import bench as measure

    width, height = parse_size(size)
    report = measure(
        models,
        versus=versus,
        width=width,
        height=height,
        threads=threads,
        runs=runs,
        runtime=runtime,
        picture=picture,
    )
    if as_json:
        print_json(report.as_dict(force=force))
        return
    _show(report, force)


def parse_size(text: str) -> tuple[int, int]:
    width, separator, height = text.lower().partition("x")
    if not (separator and width.isdigit() and height.isdigit()):
        raise UsageError(f"--size {text}: expected width x height in px, such as 640x480")
    return int(width), int(height)


def _show(report: BenchReport, force: bool) -> None:
    if not report.quotable:
        complain(f"ligera: too noisy to quote: {'; '.join(report.reasons)}")
        if not force:
            complain("ligera: figures withheld; try again on a quiet machine, or see them anyway with --force")
            return
    names = [name for name in COLUMNS if any(name in row.figures for row in report.rows)]
    cells = [[_short(row.model), *(_cell(name, row.figures.get(name)) for name in names)] for row in report.rows]
    print_table(("model", *(COLUMNS[name] for name in names)), cells)
    first = report.rows[0].figures["p50_ms"]
    say()
    say(f"{report.processor}, {first.device}, {first.threads} threads, {first.n} runs each in turns;")
    say(f"{report.width}x{report.height} px ({report.picture}), one picture at a time; (low-high): 90 % interval")
    energy = next((row.figures["energy_mj"] for row in report.rows if "energy_mj" in row.figures), None)
    if energy is not None:
        say(f"energy of one detection, {energy.source}: {energy.note}")
    if report.versus:
        say(f"ratio: time over that of {_short(report.versus)}, median of paired rounds")


def _short(model: str) -> str:
    """``yunet:/long/way/to/face.onnx`` -> ``yunet:face.onnx``."""
    kind, colon, file = model.rpartition(":")
    return f"{kind}{colon}{Path(file).name}"


def _cell(name: str, figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.value is None:
        return "unknown"
    if name == "overhead_share":
        return f"{figure.value:.0%}"
    if name == "energy_mj":
        return f"{'~' if figure.source == 'estimated' else ''}{figure.value:.3g}"
    if name in ("peak_mb", "cold_start_ms", "pictures_per_s"):
        return f"{figure.value:.0f}"
    text = f"{figure.value:.2f}"
    if name in ("p50_ms", "ratio") and figure.spread:
        text += f" ({figure.spread[0]:.2f}-{figure.spread[1]:.2f})"
    return text
