"""``ligera train RECIPE.yaml [key=value ...] [--resume RUN]``: recipe -> run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ligera.commands.training_progress import TrainingProgress
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
        from ligera.train.reading import read_recipe
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("ligera"):
            raise
        raise MissingExtra(str(error.name), "train", "training") from None
    console = Console(stderr=as_json)
    with TrainingProgress(console) as listener:
        if resume is not None:
            result = run.resume(resume, listener)
        else:
            result = run.start(read_recipe(recipe, tuple(overrides or ())), runs, listener)
    if as_json:
        typer.echo(json.dumps({"folder": str(result.folder), "metrics": result.metrics, "cost": result.cost}))
        return
    console.print(f"run folder  {result.folder}", highlight=False, markup=False, soft_wrap=True)
