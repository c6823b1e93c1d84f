"""``ligera search RECIPE --table T --target-ms 12 [key=value ...] [--resume RUN]``: table -> named architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ligera.commands.search_progress import SearchProgress
from ligera.commands.terminal import print_json, say
from ligera.errors import MissingExtra, UsageError

__all__ = ["search"]


def search(
    recipe: Annotated[
        Path | None, typer.Argument(help="Search recipe (YAML); see recipes/search-tiny.yaml.", show_default=False)
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Recipe keys to change, e.g. epochs=5.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Latency table that 'ligera profile' made on the device.")] = None,
    target_ms: Annotated[float | None, typer.Option(help="Latency that the net shall have, by the table.")] = None,
    method: Annotated[
        str | None,
        typer.Option(help="random, gates, evolution or fewest-macs.", show_default="the recipe's, or random"),
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Search to go on with.")] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Search whose state a new one starts from, after its warm-up.")
    ] = None,
    epoch: Annotated[int | None, typer.Option(help="With --from: take the state after this epoch.")] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result on stdout, as JSON.")] = False,
) -> None:
    """Search a detector that costs what it shall on a device, or go on with a search that was stopped."""
    if (recipe is None) == (resume is None):
        raise UsageError("give either a search recipe or --resume RUN; see 'ligera search --help'")
    if resume is not None and (overrides or table or target_ms is not None or method or origin):
        raise UsageError("--resume goes on with what the run's recipe says; for a change start anew with --from RUN")
    if epoch is not None and origin is None:
        raise UsageError("--epoch belongs to --from RUN")
    try:
        from ligera.search import run
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("ligera"):
            raise
        raise MissingExtra(str(error.name), "train", "searching") from None
    with SearchProgress(Console(stderr=True)) as listener:
        if resume is not None:
            result = run.resume_search(resume, listener)
        else:
            changes = [*(overrides or ()), *_overrides(table, target_ms, method)]
            asked = run.read_search_recipe(recipe, tuple(changes))
            start = None if origin is None else run.Origin(origin, epoch)
            result = run.start_search(asked, runs, listener, start)
    if as_json:
        print_json({"folder": str(result.folder), "found": result.found, "cost": result.cost})
        return
    for line in _lines(result.found, result.cost):
        say(line)
    say(f"train it    ligera train RECIPE.yaml model={result.architecture.resolve()}")
    say(f"run folder  {result.folder}")


def _overrides(table: Path | None, target_ms: float | None, method: str | None) -> list[str]:
    """The options as recipe keys."""
    found = []
    if table is not None:
        found.append(f"table={table.resolve()}")
    if target_ms is not None:
        found.append(f"targets=[{{attribute: latency_ms, target: {target_ms}}}]")
    if method is not None:
        found.append(f"method={method}")
    return found


def _lines(found: dict[str, Any], cost: dict[str, Any]) -> list[str]:
    """What was found and what it took, a line each."""
    parts = [f"{name} {amount:.4g} of {found['targets'][name]:.4g}" for name, amount in found["amounts"].items()]
    lines = [f"found       {found['name']}", f"by table    {', '.join(parts)}"]
    off = found["relative"] - 1
    if "measured_ms" in found:
        target_ms, tried = found["targets"]["latency_ms"], len(found["measured"])
        off = found["measured_ms"] / target_ms - 1
        lines.append(f"measured    {found['measured_ms']:.4g} ms here, {off:+.1%} off the target (nets tried: {tried})")
    if "doubts" in found:
        lines.append(f"measured    too noisy to say: {'; '.join(found['doubts'])}")
    if not found["on_target"]:
        why = "no net of the space lies nearer by the gates" if found["method"] == "gates" else "try another seed"
        lines.append(f"off target  {abs(off):.1%}: {why}")
    if "held_out_ap50" in found:
        lines.append(f"held out    AP50 {found['held_out_ap50']:.3f}")
    figures = cost["figures"]
    spent = [_figure(figures, "wall_s", "min", 60.0), _figure(figures, "energy_kwh", "Wh", 1e-3)]
    return [*lines, f"it took     {', '.join(spent)}, {_figure(figures, 'peak_rss_mb', 'MB', 1.0)} of memory"]


def _figure(figures: dict[str, Any], name: str, unit: str, divisor: float) -> str:
    figure = figures[name]
    if figure["value"] is None:
        return f"unknown {unit}"
    source = "" if figure["source"] == "measured" else f" ({figure['source']})"
    return f"{figure['value'] / divisor:.3g} {unit}{source}"
