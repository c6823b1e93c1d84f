"""``ligera pick``: the most accurate model that keeps a budget on this device."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ligera.commands.pick_search import plan_search
from ligera.commands.terminal import complain, print_json, print_table, quiet_libraries, say

if TYPE_CHECKING:
    from ligera.deploy.pick.row import Row
    from ligera.deploy.pick.running import PickReport

MOST_SHOWN = 12
BUDGET_MISSED = 4
SAID_EVERY_S = 30.0


def pick(
    task: Annotated[str, typer.Argument(metavar="TASK", help="faces, people, classify or pages.")],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Labelled pictures to choose by, as for eval.")],
    max_ms: Annotated[float | None, typer.Option(help="Time of a picture (of a batch) to its answer, ms.")] = None,
    max_mb: Annotated[float | None, typer.Option(help="Size of the model's file, MB.")] = None,
    max_drop: Annotated[
        float | None, typer.Option(help="Points of accuracy that int8 may lose against its original in fp32.")
    ] = None,
    max_joule: Annotated[float | None, typer.Option(help="Energy of a picture, J.")] = None,
    percentile: Annotated[float, typer.Option(help="Which percentile of the times --max-ms bounds, 50 to 99.")] = 95.0,
    threads: Annotated[
        list[int] | None, typer.Option(help="Threads; may be repeated.", show_default="1, and cores up to 4")
    ] = None,
    batch: Annotated[int, typer.Option(help="Pictures at a time (classify).")] = 1,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME_OR_FILE_OR_KIND:FILE", help="Another candidate, beside the built-in ones; may be repeated."
        ),
    ] = None,
    builtin: Annotated[bool, typer.Option("--builtin/--no-builtin", help="Let built-in models compete.")] = True,
    size: Annotated[
        list[int] | None,
        typer.Option(help="Long side to search at, px; may be repeated.", show_default="a ladder up to the pictures'"),
    ] = None,
    runtime: Annotated[
        list[str] | None, typer.Option(help="What runs networks; may be repeated.", show_default="all installed")
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            help="int8, bf16 or fp16 beside fp32; may be repeated.", show_default="int8 where there is --calibrate"
        ),
    ] = None,
    calibrate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Pictures, not those of --data, to make int8 versions from.")
    ] = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(
            help="How int8 takes its ranges: minmax, percentile or entropy; may be repeated.",
            show_default="minmax, percentile",
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="ap50 or widerface (faces).", show_default="that of the data")
    ] = None,
    include_search: Annotated[
        str | None,
        typer.Option(
            metavar="30m", help="Where the best candidate misses the budget, search and train a detector for so long."
        ),
    ] = None,
    train: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Labelled pictures, not those of --data, to train that one on.")
    ] = None,
    tariff: Annotated[
        str | None, typer.Option(metavar="EUR_PER_KWH|FILE", help="Price of energy, as for cost.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure anew what is known from earlier calls.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="RUN", help="Folder.", show_default="runs/pick/TASK-DATA")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout, nothing else there.")] = False,
) -> None:
    """Choose the most accurate model that fits the budget, by measuring on this device.

    Every model is tried at several sizes, runtimes and numbers of threads. Writes the winner, report.html, report.json
    and pareto.png. What was measured is kept: a killed run goes on, another budget is answered at once. Exit code 4
    where nothing fits.
    """
    from ligera.deploy.pick.budget import Budget
    from ligera.deploy.pick.folder import check_folder, use_of, write_report
    from ligera.deploy.pick.running import Field
    from ligera.deploy.pick.running import pick as choose
    from ligera.deploy.pick.variants import Settings

    budget = Budget(max_ms, max_mb, max_joule, max_drop, percentile)
    field = Field(
        models=tuple(model or ()),
        builtin=builtin,
        sizes=tuple(size or ()),
        runtimes=tuple(runtime or ()),
        threads=tuple(threads or ()),
        batch=batch,
        conversions=Settings(calibrate, tuple(precision or ()), tuple(calibration or ())),
        protocol=protocol,
    )
    if out is not None:
        check_folder(out)
    search = plan_search(include_search, train, task, data, budget)
    ask = functools.partial(choose, task, data, budget, field, tariff=tariff)
    with quiet_libraries(), _progress() as note:
        report = ask(again=again, note=note)
        if search is not None:
            report = search.joined(report, lambda found: ask(searched=found, note=note), note)
    if as_json:
        print_json(report.as_dict())
    else:
        _show(report)
    # after the answer was said, which a full disk must not cost
    folder = write_report(report, out)
    tell = complain if as_json else say
    tell(f"-> {folder}")
    if report.choice.winner is None:
        raise typer.Exit(BUDGET_MISSED)
    tell(f"use it: {use_of(report, folder)}")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Tells what is going on: a line that changes where standard error is a terminal, one now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _now_and_then()
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(text.replace("[", r"\["))


def _now_and_then() -> Callable[[str], None]:
    said_at = time.monotonic()

    def note(text: str) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= SAID_EVERY_S:
            said_at = time.monotonic()
            complain(f"ligera: {text}")

    return note


def _show(report: PickReport) -> None:
    for name, reason in report.left_out.items():
        complain(f"ligera: left out {name}: {reason}")
    for warning in report.warnings:
        complain(f"ligera: {warning}")
    rows = [row for row in report.rows if row.costs is not None]
    rows.sort(key=lambda row: (-row.rank, row.costs.promised_ms))
    words = report.words()
    say(words.answer)
    for line in words.details:
        say(f"  {line}")
    say()
    print_table(_header(report), [_cells(report, row) for row in rows[:MOST_SHOWN]], left=2)
    say()
    for line in words.footing:
        say(line)


def _header(report: PickReport) -> tuple[str, ...]:
    time = f"p{report.budget.percentile:g} ms"
    return ("", "candidate", report.metric, "95 % interval", time, "promised", "MB", "J/picture", "EUR/million")


def _cells(report: PickReport, row: Row) -> tuple[str, ...]:
    costs, accuracy = row.costs, row.accuracy
    mark = "~" if row.noise else ""
    interval = "-" if accuracy.low is None else f"{accuracy.low:.3f}-{accuracy.high:.3f}"
    joules, euros = costs.energy_j.value, row.euros_per_million
    guess = "~" if costs.energy_j.source == "estimated" else ""
    return (
        report.mark(row),
        row.candidate.key(),
        f"{accuracy.value:.3f}",
        interval,
        f"{mark}{costs.latency.value:.2f}",
        f"{mark}{costs.promised_ms:.2f}",
        "-" if costs.size_mb is None else f"{costs.size_mb:.2f}",
        "-" if joules is None else f"{guess}{joules:.3g}",
        "-" if euros is None else f"{guess}{euros:.2g}",
    )
