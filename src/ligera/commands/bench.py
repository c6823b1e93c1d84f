"""``ligera bench``: what a detector costs on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.bench_layers import show_layers
from ligera.commands.terminal import complain, print_json, print_table, say
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.timing.bench import BenchReport
    from ligera.deploy.timing.gates import Gate, Verdict
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
GATE_BROKEN = 4


def bench(
    models: Annotated[list[str], typer.Argument(metavar="MODEL", help="As for detect --model; several take turns.")],
    *,
    versus: Annotated[str | None, typer.Option("--vs", help="Another model to compare each with.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runs: Annotated[int, typer.Option(min=10, help="Detections of each model.")] = 200,
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the picture, px.")] = "640x480",
    picture: Annotated[str | None, typer.Option(help="A picture to use instead of a synthetic one.")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
    gate: Annotated[
        str | None, typer.Option(metavar="GATES", help="Exit with 4 unless these hold: p95<8ms,ap_drop<1 (with --vs).")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Labelled faces for the gates ap and ap_drop, as for eval.")
    ] = None,
    layers: Annotated[
        bool,
        typer.Option("--layers", help="Instead list each layer of a bundle, its time and the precision it runs in."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
    force: Annotated[bool, typer.Option(help="Show figures even of a machine too noisy to quote.")] = False,
) -> None:
    """Time detectors: decoded picture in, boxes out, and the network alone within it.

    Models take turns, each in a process of its own. When the machine was not quiet (a calibration loop varied by more
    than 15 %, or other work kept cores busy) the figures are withheld and the reason is given, and a gate on one of
    them is not judged, which does not pass.
    """
    from ligera.deploy.timing.bench import bench as measure
    from ligera.deploy.timing.worker import Job

    width, height = parse_size(size)
    if layers:
        if gate is not None or versus is not None:
            raise UsageError("--layers: lists layers and compares nothing; leave --gate and --vs out")
        jobs = [Job(model, width, height, threads, runtime, picture) for model in models]
        show_layers(jobs, as_json=as_json)
        return
    gates = _gates(gate, data, versus)
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
    verdicts = _verdicts(gates, report, data, threads, runtime, force)
    if as_json:
        row = report.as_dict(force=force)
        print_json(row | {"gates": [verdict.as_dict() for verdict in verdicts]} if gates else row)
    else:
        _show(report, force)
    broken = [verdict for verdict in verdicts if not verdict.held]
    for verdict in broken:
        complain(f"ligera: {verdict.line()}")
    if broken:
        raise typer.Exit(GATE_BROKEN)
    if gates and not as_json:
        say(f"all gates hold: {', '.join(own.text for own in gates)}")


def _gates(text: str | None, data: Path | None, versus: str | None) -> tuple[Gate, ...]:
    """The gates, once all that they need is given: said before minutes of measuring, not after."""
    from ligera.deploy.timing.gates import parse_gates

    if text is None:
        if data is not None:
            raise UsageError("--data: is for the gates ap and ap_drop; add such as --gate 'ap>0.5'")
        return ()
    gates = parse_gates(text)
    names = {gate.name for gate in gates}
    if names & {"ap", "ap_drop"} and data is None:
        raise UsageError("--gate: ap and ap_drop need labelled pictures; add --data DIR")
    if not names & {"ap", "ap_drop"} and data is not None:
        raise UsageError("--data: is for the gates ap and ap_drop, of which --gate has none; leave it out")
    if names & {"ratio", "ap_drop"} and versus is None:
        raise UsageError("--gate: ratio and ap_drop compare with another model; add --vs MODEL")
    return gates


def _verdicts(
    gates: Sequence[Gate], report: BenchReport, data: Path | None, threads: int | None, runtime: str, force: bool
) -> tuple[Verdict, ...]:
    """Every gate on every model but the one that others are compared with."""
    if not gates:
        return ()
    from ligera.deploy.timing.gates import GATES, judge_gates

    scores = {} if data is None else _scores(report, data, threads, runtime)
    figures: dict[str, dict[str, float | None]] = {}
    for row in report.rows:
        if row.model == report.versus and len(report.rows) > 1:
            continue
        own: dict[str, float | None] = {name: figure.value for name, figure in row.figures.items()}
        own["size_mb"] = _size_mb(row.model)
        if row.model in scores:
            own["ap"] = scores[row.model]
            base = scores.get(report.versus or "")
            own["ap_drop"] = None if base is None or own["ap"] is None else 100 * (base - own["ap"])
        figures[row.model] = own
    noisy = "" if report.quotable or force else f"too noisy to judge ({'; '.join(report.reasons)})"
    timeless = {"size", "ap", "ap_drop"}
    timed = [gate for gate in gates if gate.name in GATES and gate.name not in timeless]
    others = [gate for gate in gates if gate.name in timeless]
    return judge_gates(timed, figures, noisy) + judge_gates(others, figures)


def _scores(report: BenchReport, data: Path, threads: int | None, runtime: str) -> dict[str, float | None]:
    """AP at IoU 0.5 of each model on the labelled pictures at ``data``, 0 to 1."""
    from ligera.deploy.detector import Detector
    from ligera.deploy.scoring.faces import evaluate

    found: dict[str, float | None] = {}
    for row in report.rows:
        with Detector.load(row.model, threads=threads, runtime=runtime) as detector:
            found[row.model] = evaluate(detector, data, protocol="ap50").overall.ap50
    return found


def _size_mb(model: str) -> float | None:
    from ligera.deploy.pick.probing import model_file

    file = model_file(model)
    return None if file is None else file.stat().st_size / 1e6


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
