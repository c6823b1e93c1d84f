"""``ligera data check PATH``: what a data set holds and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import complain, print_json, quiet_libraries, say

if TYPE_CHECKING:
    from ligera.data.check import Report

MOST_PROBLEMS_SHOWN = 20

data = typer.Typer(name="data", help="Look into data sets.", no_args_is_help=True)


@data.command("check")
def check_data(
    path: Annotated[Path, typer.Argument(help="Folder or annotation file.")],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="widerface, retinaface, cifar10, folders and others; a wrong name lists all.",
            show_default="told from the files",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Count pictures and what is labelled in them, and name everything wrong by file and line.

    Every picture is decoded. The exit code is 2 when a line is malformed or a picture missing or broken.
    """
    from ligera.data.check import check

    with quiet_libraries():
        report = check(path, format)
    if as_json:
        print_json({"ok": report.ok, **report.as_dict()})
    else:
        _show(report)
    if not report.ok:
        grave = sum(problem.kind != "suspect" for problem in report.problems)
        complain(f"ligera: {path}: cannot be trained on as it stands, {grave:,} of its problems must be repaired")
    raise typer.Exit(0 if report.ok else 2)


def _show(report: Report) -> None:
    say(f"{report.path}: {report.format}")
    for line in report.lines():
        say(line)
    _show_problems(report)


def _show_problems(report: Report) -> None:
    """The grave ones first, as those decide whether the data can be used."""
    if not report.problems:
        say("no problems")
        return
    shown = sorted(report.problems, key=lambda problem: problem.kind == "suspect")[:MOST_PROBLEMS_SHOWN]
    say(f"{len(report.problems):,} problem{'s' * (len(report.problems) != 1)}")
    for problem in shown:
        say(f"  {problem.kind}: {problem}")
    if len(report.problems) > len(shown):
        say(f"  ... and {len(report.problems) - len(shown):,} more; --json lists them all")
