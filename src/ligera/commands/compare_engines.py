"""``ligera compare-engines``: which engine does the data work of a folder in least time, and in least memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import complain, print_json, print_table, say, with_progress
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.comparing.comparison import Comparison
    from ligera.meter.figure import Figure

DEFAULT_ENGINES = "sequential,threads,processes,async,auto"
COLUMNS = {"elapsed_s": "seconds", "pictures_per_s": "pictures/s", "speedup": "speed-up", "peak_mb": "peak MB"}
DIFFERENT = 4


def compare_engines(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, searched to its depth.")],
    *,
    engines: Annotated[
        str, typer.Option(help="Names with commas between; speed-ups are over the first.")
    ] = DEFAULT_ENGINES,
    workload: Annotated[str, typer.Option(help="decode, augment (5 variations each) or detect.")] = "decode",
    model: Annotated[str, typer.Option("--model", "-m", help="What augment and detect find faces with.")] = "face",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Pictures worked on at once.", show_default="each engine's own")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each engine does it all.")] = 3,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use the first so many pictures.", show_default="all")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.", show_default="runs/compare-engines/NAME")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
    force: Annotated[bool, typer.Option(help="Show figures even of a machine too noisy to quote.")] = False,
) -> None:
    """Compare time and peak memory of the engines on the same pictures.

    Engines take turns, each in a fresh process, so that peak memory is its own. All must give the same results; the
    exit code is 4 where they do not. When the machine was not quiet the figures are withheld and the reason is given.
    """
    from ligera.deploy.comparing.comparison import compare
    from ligera.files import new_run_folder

    names = [name.strip() for name in engines.split(",") if name.strip()]
    if not names:
        raise UsageError("--engines: expected names with commas between, such as threads,processes")
    comparison = compare(
        str(folder),
        names,
        workload=workload,
        workers=workers,
        rounds=rounds,
        limit=limit,
        model=model,
        steps=lambda order: with_progress(order, len(order), "comparing"),
    )
    target = out or new_run_folder(Path("runs"), "compare-engines", folder.resolve().stem)
    _record(comparison, target)
    if as_json:
        print_json({"folder": str(target), **comparison.as_dict(force=force)})
    else:
        _show(comparison, force)
        say(f"-> {target}")
    failed = max(row.failed for row in comparison.rows)
    if failed:
        complain(f"ligera: {failed:,} of {comparison.pictures:,} pictures could not be worked on, with any engine")
    if not comparison.identical:
        complain("ligera: the engines' results differ; please report this")
    raise typer.Exit(0 if comparison.identical else DIFFERENT)


def _record(comparison: Comparison, folder: Path) -> None:
    """Every figure, with the reasons why not to quote them, and the picture."""
    import cv2

    from ligera import __version__
    from ligera.deploy.comparing.chart import draw_comparison
    from ligera.files import write_bytes

    content = {"ligera": __version__, **comparison.as_dict(force=True)}
    write_bytes(folder / "comparison.json", (json.dumps(content, indent=2) + "\n").encode("ascii"))
    _, chart = cv2.imencode(".png", draw_comparison(comparison)[:, :, ::-1])
    write_bytes(folder / "comparison.png", chart.tobytes())


def _show(comparison: Comparison, force: bool) -> None:
    if not comparison.quotable:
        complain(f"ligera: too noisy to quote: {'; '.join(comparison.reasons)}")
    if comparison.quotable or force:
        rows = [
            [
                row.engine if row.chosen == row.engine else f"{row.engine} ({row.chosen})",
                str(row.workers or ""),
                *(_cell(name, row.figures.get(name)) for name in COLUMNS),
            ]
            for row in comparison.rows
        ]
        print_table(("engine", "workers", *COLUMNS.values()), rows)
        say()
        say(f"{comparison.processor}; {comparison.workload} of {comparison.pictures:,} pictures;")
        say(f"median of {comparison.rounds} rounds in turns (lowest-highest); memory of all an engine's processes")
    else:
        complain("ligera: figures withheld; try again on a quiet machine, or see them anyway with --force")
    say("results identical: " + ("yes" if comparison.identical else "NO"))


def _cell(name: str, figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.value is None:
        return "unknown"
    digits = {"elapsed_s": 2, "pictures_per_s": 0, "speedup": 2, "peak_mb": 0}[name]
    text = f"{figure.value:.{digits}f}"
    if figure.spread and figure.n > 1:
        text += f" ({figure.spread[0]:.{digits}f}-{figure.spread[1]:.{digits}f})"
    return text
