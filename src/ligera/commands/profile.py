"""``ligera profile``: the latency table of this device, and whether it tells the truth."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ligera.commands.terminal import complain, print_json, print_table, say
from ligera.commands.tracking import track
from ligera.errors import DataError, GateFailed, MissingExtra, UsageError

if TYPE_CHECKING:
    from ligera.search.agreement import Agreement
    from ligera.search.checking import CheckReport
    from ligera.search.table import LatencyTable, Settings

__all__ = ["profile"]

SHOWN = 10


def profile(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SPACE.yaml|BLOCKS.zip", help="Search space, or archive of `ligera space export`."),
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="TABLE.json", help="The table to write.")] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="TABLE.json", help="Time whole nets against this table instead.")
    ] = None,
    nets: Annotated[int, typer.Option(min=20, max=10_000, help="Random whole nets of --check.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of those nets.")] = 0,
    save_constants: Annotated[
        bool, typer.Option("--save-constants", help="--check puts the constants it fitted into the table.")
    ] = False,
    gate: Annotated[bool, typer.Option("--gate", help="--check ends with exit code 4 where the table misses.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads.", show_default="cores, at most 4")] = None,
    runtime: Annotated[str, typer.Option(help="What runs the blocks.")] = "onnxruntime",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a killed run stood.")] = False,
    only: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only entries whose key fits, such as '*KKConv*'.")
    ] = "*",
    rounds: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Turns of each entry or net.", show_default="3, with several threads 8"),
    ] = None,
    warm_up: Annotated[
        int | None, typer.Option(min=0, help="Runs that don't count.", show_default="20, on cards 40")
    ] = None,
    samples: Annotated[int | None, typer.Option(min=5, help="Runs that do.", show_default="50, on cards 200")] = None,
    statistic: Annotated[
        str | None,
        typer.Option(
            help="What stands for the runs: the fastest, or their mean trimmed by a tenth at each end.",
            show_default="fastest, on cards trimmed",
        ),
    ] = None,
    rest_ms: Annotated[float, typer.Option(min=0, help="Pause between two entries.")] = 20.0,
    threshold_ms: Annotated[float, typer.Option(min=0.001, help="Skip blocks slower than this.")] = 1000.0,
    clock: Annotated[str, typer.Option(help="wall, or cpu: the thread's own time, where a machine is never quiet.")] = (
        "wall"
    ),
    figures: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures [default: beside the table].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")] = False,
) -> None:
    """Make the latency table of this device: what each block of a search space takes here.

    With --check, time random whole nets and hold the sums of the table's entries against them.
    """
    if check is not None:
        if out is not None:
            raise UsageError("--check: times nets against a table and writes none; leave -o out")
        report, table = _check(check, source, nets, seed, rounds, resume)
        _finish_check(report, table, check, figures, save_constants, as_json)
        if gate and not (report.bare.reaches() or report.judged_fitted.reaches()):
            raise GateFailed(f"{check}: the table misses: MAPE {report.judged_fitted.mape:.1%} (at most 5 % allowed)")
        return
    if source is None or out is None:
        raise UsageError("profile: give a search space or an archive of its blocks, and -o TABLE.json")
    from ligera.search.profiling import profile as measure
    from ligera.search.sourcing import open_blocks

    settings = _settings(runtime, threads, rounds, warm_up, samples, statistic, rest_ms, threshold_ms, clock)
    with open_blocks(source, track=track) as blocks:
        table = measure(
            blocks,
            out,
            settings=settings,
            threads=threads,
            runtime=runtime,
            resume=resume,
            only=only,
            track=track,
            log=complain,
        )
    _finish_table(table, out, figures, as_json)


def _settings(
    runtime: str,
    threads: int | None,
    rounds: int | None,
    warm_up: int | None,
    samples: int | None,
    statistic: str | None,
    rest_ms: float,
    threshold_ms: float,
    clock: str,
) -> Any:
    from ligera.search.table import settings_for

    if clock not in ("wall", "cpu"):
        raise UsageError(f"--clock {clock[:40]}: expected wall or cpu")
    if statistic not in (None, "fastest", "trimmed"):
        raise UsageError(f"--statistic {statistic[:40]}: expected fastest or trimmed")
    given = {"rounds": rounds, "warm_up_runs": warm_up, "samples": samples, "statistic": statistic}
    return settings_for(
        runtime,
        threads,
        rest_ms=rest_ms,
        threshold_ms=threshold_ms,
        clock=clock,
        **{name: value for name, value in given.items() if value is not None},
    )


def _check(
    path: Path, source: Path | None, count: int, seed: int, rounds: int | None, resume: bool
) -> tuple[CheckReport, LatencyTable]:
    from ligera.search.checking import check_table
    from ligera.search.netting import nets_of
    from ligera.search.sourcing import open_blocks
    from ligera.search.table import read_table

    table = read_table(path)
    with ExitStack() as stack:
        blocks = stack.enter_context(open_blocks(source, track=track)) if source else None
        if blocks is not None and blocks.space.digest != table.space.digest:
            raise DataError(f"{source}: is of another space than {path}")
        if blocks is not None and blocks.precision != table.device.precision:
            raise DataError(f"{source}: is of {blocks.precision}, {path} of {table.device.precision}")
        nets, graph = nets_of(table, count, seed, blocks)
        beside = path.with_name(f"{path.stem}-check.json")
        report = check_table(
            table, nets, graph, beside, blocks=blocks, rounds=rounds, resume=resume, track=track, log=complain
        )
    return report, table


def _finish_table(table: LatencyTable, out: Path, figures: Path | None, as_json: bool) -> None:
    from ligera.search.latency_charts import draw_table

    folder = figures or out.with_name(f"{out.stem}-figures")
    drawn = _drawn(lambda: draw_table(table, folder))
    noisy = sum(row.noisy for row in table.rows.values())
    device = table.device
    if as_json:
        print_json(
            {
                "table": str(out),
                "space": table.space.name,
                "entries": len(table.rows),
                "skipped": table.skipped,
                "noisy": noisy,
                "quotable": not table.noise,
                "reasons": list(table.noise),
                "complete": table.complete,
                "device": device.model_dump(mode="json"),
                "figures": str(folder) if drawn else None,
            }
        )
        return
    for reason in table.noise:
        complain(f"ligera: too noisy to quote: {reason}")
    rows = sorted(table.rows.items(), key=lambda pair: -pair[1].latency_ms)[:SHOWN]
    cells = [[key, f"{r.latency_ms:.3f} ({r.low_ms:.3f}-{r.high_ms:.3f})", f"{r.macs / 1e6:.1f}"] for key, r in rows]
    print_table(("slowest entries", "ms", "M multiply-adds"), cells)
    say()
    say(table.device.described)
    say(f"{len(table.rows)} entries, {noisy} of them noisy, {len(table.skipped)} skipped; {_told(table.settings)}")
    say(f"table: {out}")
    if drawn:
        say(f"figures: {folder}")


def _told(settings: Settings) -> str:
    if settings.statistic == "fastest":
        return "ms: the fastest run; (low-high): as far apart as the two fastest turns"
    return "ms: trimmed mean; (low-high): its 90 % interval"


def _finish_check(
    report: CheckReport, table: LatencyTable, path: Path, figures: Path | None, save: bool, as_json: bool
) -> None:
    from ligera.search.checking import write_report
    from ligera.search.latency_charts import draw_check

    folder = figures or path.with_name(f"{path.stem}-figures")
    title = f"{table.space.name}: {table.device.described}"
    _drawn(lambda: [draw_check(report, folder / "check.png", title)])
    written = write_report(report, path.with_name(f"{path.stem}-check.json"))
    if save:
        table.model_copy(update={"constants": report.constants}).write(path)
    if as_json:
        print_json(report.as_dict())
        return
    for reason in report.reasons:
        complain(f"ligera: too noisy to quote: {reason}")
    cells = [
        _cells("sum of entries, all nets", report.bare),
        _cells("sum of entries, half judged", report.judged_bare),
        _cells("with constants, half judged", report.judged_fitted),
    ]
    if report.undrifted is not None:
        cells.append(_cells("sum of entries x drift, all", report.undrifted))
    print_table(("", "nets", "MAPE", "bias", "within 10 %", "Kendall tau"), cells)
    say()
    say(f"constants, ms: {', '.join(f'{name} {value:+.4f}' for name, value in report.constants.items())}")
    if report.drift is not None:
        say(f"drift: entries of the table, timed again among the nets, take {report.drift:.3f} of what the table says")
    said = "plain sums reach" if report.bare.reaches() else "sums with constants reach"
    reached = report.bare.reaches() or report.judged_fitted.reaches()
    say(f"{said if reached else 'misses'}: MAPE <= 5 %, 95 % of nets within 10 %, tau >= 0.95")
    say(f"report: {written}")


def _cells(name: str, figures: Agreement) -> list[str]:
    a = figures
    return [name, str(a.nets), f"{a.mape:.1%}", f"{a.bias:+.1%}", f"{a.near_share:.0%}", f"{a.tau:.3f}"]


def _drawn(draw: Any) -> list[Path]:
    try:
        return draw()
    except MissingExtra as error:
        complain(f"ligera: no pictures: {error}")
        return []
