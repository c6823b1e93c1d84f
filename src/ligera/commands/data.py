"""``ligera data check PATH``: what a data set holds and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.terminal import complain, print_json, quiet_libraries, say

if TYPE_CHECKING:
    from ligera.data.check import CheckReport, SizeBucket

BAR_WIDTH = 40
MOST_PROBLEMS_SHOWN = 20

data = typer.Typer(name="data", help="Look into data sets.", no_args_is_help=True)


@data.command("check")
def check_data(
    path: Annotated[Path, typer.Argument(help="Folder or annotation file.")],
    format: Annotated[
        str | None, typer.Option("--format", help="widerface or retinaface.", show_default="told from the files")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Count pictures and faces, and name everything wrong by file and line.

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


def _show(report: CheckReport) -> None:
    say(f"{report.path}: {report.format}")
    say(f"{report.pictures:,} pictures, {report.backgrounds:,} of them without faces")
    known = "" if report.landmark_share is None else f", {report.landmark_share:.0%} of them with five landmarks"
    say(f"{report.faces:,} faces{known}; {report.ignore_regions:,} ignore regions")
    if report.faces:
        say("faces by size (square root of area, px)")
        for line in _bars(report.sizes):
            say(line)
    _show_problems(report)


def _bars(sizes: tuple[SizeBucket, ...]) -> list[str]:
    """One line per size: its range, a bar as long as its share of the fullest, its count."""
    most = max(bucket.faces for bucket in sizes)
    lines = []
    for bucket in sizes:
        end = "up" if bucket.below_px is None else f"{bucket.below_px}"
        bar = "#" * max(round(BAR_WIDTH * bucket.faces / most), bucket.faces > 0)
        lines.append(f"{bucket.from_px:>5} - {end:<4} {bar:<{BAR_WIDTH}} {bucket.faces:,}".rstrip())
    return lines


def _show_problems(report: CheckReport) -> None:
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
