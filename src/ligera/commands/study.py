"""``ligera study NAME [key=value ...] [--quick]``: a paper's tables with ours beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ligera.commands.terminal import print_json, say
from ligera.commands.training_progress import TrainingProgress
from ligera.errors import MissingExtra, UsageError, nearest

STUDIES = ("dynamic", "dynamic-faces", "detectors", "mtcnn-parallel", "facenas", "transfer", "engines", "manuscripts")


def study(
    name: Annotated[str, typer.Argument(help=f"Which study: {', '.join(STUDIES)}.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change, e.g. data=DIR seeds=3.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="A small version, about two minutes on a CPU.")] = False,
    runs: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print only the tables on stdout, as JSON.")] = False,
) -> None:
    """Run a study, or go on with one that was stopped: finished trainings are not done again."""
    if name not in STUDIES:
        raise UsageError(f"no study is called {name!r}{nearest(name, STUDIES)}; there are: {', '.join(STUDIES)}")
    try:
        from ligera.studies.running import run_study
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("ligera"):
            raise
        raise MissingExtra(str(error.name), "train", "running a study") from None
    folder = runs / "study" / (f"{name}-quick" if quick else name)
    with TrainingProgress(Console(stderr=True)) as listener:
        report = run_study(name, tuple(overrides or ()), quick, folder, listener)
    if as_json:
        print_json({"folder": str(folder), **report.as_dict()})
        return
    for line in report.as_markdown().splitlines():
        say(line)
    say(f"run folder  {folder}")
