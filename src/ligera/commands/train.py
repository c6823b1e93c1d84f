"""``ligera train RECIPE.yaml [key=value ...] [--resume RUN]``: recipe -> run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ligera.errors import MissingExtra, UsageError


def train(
    recipe: Annotated[
        Path | None, typer.Argument(help="Recipe file (YAML); see recipes/ for those of the built-in models.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Recipe keys to change, e.g. epochs=5.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Run folder to go on with.")] = None,
    runs: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print only the result on stdout, as JSON.")] = False,
) -> None:
    """Train a model from a recipe, or go on with a run that was stopped."""
    if (recipe is None) == (resume is None):
        raise UsageError("give either a recipe file or --resume RUN; see 'ligera train --help'")
    try:
        from ligera.train import run
        from ligera.train.recipe import read_recipe
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("ligera"):
            raise
        raise MissingExtra(str(error.name), "train", "training") from None
    console = Console(stderr=as_json)
    with _Listener(console) as listener:
        if resume is not None:
            result = run.resume(resume, listener)
        else:
            result = run.start(read_recipe(recipe, tuple(overrides or ())), runs, listener)
    if as_json:
        typer.echo(json.dumps({"folder": str(result.folder), "metrics": result.metrics, "cost": result.cost}))
        return
    console.print(f"run folder  {result.folder}", highlight=False, markup=False, soft_wrap=True)


class _Listener:
    """Shows training rows: a moving bar on a terminal, a line per epoch elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task: Any = None
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console)

    def __enter__(self) -> _Listener:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, row: dict[str, Any]) -> None:
        if "row" in row:
            self._console.print(_line(row["row"]), highlight=False, markup=False, soft_wrap=True)
        elif self._bar:
            if self._task is None:
                self._task = self._bar.add_task("", total=row["steps"])
            losses = "  ".join(f"{k} {v:.3f}" for k, v in row.items() if k not in ("epoch", "step", "steps"))
            label = f"epoch {row['epoch'] + 1}  {losses}"
            self._bar.update(self._task, completed=row["step"], total=row["steps"], description=label)


def _line(row: dict[str, Any]) -> str:
    shown = [f"epoch {row['epoch']}"]
    shown += [f"{name.removeprefix('loss_')} {value:.3f}" for name, value in row.items() if name.startswith("loss_")]
    shown += [f"{name} {value:.3f}" for name, value in row.items() if name.startswith("ap")]
    return "  ".join([*shown, f"{row['pictures_per_s']:.0f} pictures/s"])
