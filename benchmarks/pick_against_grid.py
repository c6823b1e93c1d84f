"""Does ``ligera pick`` find what measuring everything finds, for a quarter of the effort, and are its promises kept?

The whole grid is measured in full once. Then, for each of a number of budgets spread over the grid's times, ``pick``
runs on measurements of its own, none of them the grid's, and its winner is held against the best of the grid. At last
models that were picked are timed in fresh processes, and the percentile there is held against what was promised; a
process that other work disturbed is started again, at most twice, as pick does with its own. To reach: the same winner
in 19 of 20 budgets, on average at most 25 % of the grid's cost, and 9 of 10 promises kept.

A winner is the same where model, file, precision, size, runtime and threads are; ``equal`` where its accuracy is, to a
tenth of a point, and both keep the budget; ``on the edge`` where the budget lies within what two measurements of one
candidate differ by, so that measuring everything twice would disagree with itself.

The cost of a budget is what measuring all that its answer stands on took. With ``--shared`` budgets share a cache: what
one has measured is not measured again for the next, but its time is counted for each that uses it, so that costs stay
those of budgets run alone while the whole takes a fraction of the hours. With ``--replay`` they share the grid's own:
then a winner can only be another because the race dropped the right one, not because two measurements differ.

Run: python benchmarks/pick_against_grid.py --data DIR --work FOLDER [--model yunet:FILE ...] [--budgets 20] [--shared]
A killed run goes on where it was, as every measurement is kept with what it took. On a noisy machine the numbers say
little: see ``noise``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.choice import winner_of
from ligera.deploy.pick.evidence import Visit
from ligera.deploy.pick.intervals import latency_of
from ligera.deploy.pick.judging import TASKS, open_judge
from ligera.deploy.pick.measuring import MOST_REPEATED, Measurer
from ligera.deploy.pick.row import Row
from ligera.deploy.pick.running import Field, PickReport, pick
from ligera.deploy.pick.store import Store
from ligera.deploy.pick.variants import Settings
from ligera.errors import LigeraError
from ligera.files import write_bytes

ENOUGH_SAME, ENOUGH_KEPT, MOST_COST = 0.95, 0.9, 0.25


@dataclass(frozen=True, slots=True)
class Trial:
    """One budget: the grid's best and what was picked, ``cost`` in seconds and as a share of the grid's."""

    max_ms: float
    best: str
    picked: str
    verdict: str
    cost_s: float
    cost_share: float
    noisy: bool


@dataclass(frozen=True, slots=True)
class Promise:
    """What a fresh process took, at the percentile that was promised."""

    candidate: str
    promised_ms: float
    fresh_ms: float
    kept: bool
    noise: tuple[str, ...]


def main() -> None:
    options = parsed()
    field = Field(
        models=tuple(options.model),
        builtin=not options.no_builtin,
        sizes=tuple(options.size),
        runtimes=tuple(options.runtime),
        threads=tuple(options.threads),
        conversions=Settings(options.calibrate),
    )
    try:
        grid = measured_grid(options, field)
        trials, winners = [], []
        for max_ms in budgets_over(grid, options.budgets):
            trial, found = run_trial(options, field, grid, max_ms)
            trials.append(trial)
            winners += [] if found is None else [found]
        promises = list(held(options, winners)) if winners else []
    except LigeraError as error:
        sys.exit(f"pick_against_grid: {error}")
    report = summary(grid, trials, promises)
    write_bytes(options.work / "report.json", (json.dumps(report, indent=2) + "\n").encode())
    print(markdown(report, trials, promises))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="faces", choices=list(TASKS))
    parser.add_argument("--data", type=Path, required=True, help="labelled pictures")
    parser.add_argument("--work", type=Path, required=True, help="folder for measurements and the report")
    parser.add_argument("--model", action="append", default=[], help="another candidate; may be repeated")
    parser.add_argument("--no-builtin", action="store_true")
    parser.add_argument("--size", type=int, action="append", default=[])
    parser.add_argument("--runtime", action="append", default=[])
    parser.add_argument("--threads", type=int, action="append", default=[])
    parser.add_argument("--calibrate", type=Path, help="pictures to make int8 versions from")
    parser.add_argument("--budgets", type=int, default=20)
    parser.add_argument("--shared", action="store_true", help="budgets share measurements; each pays for all it uses")
    parser.add_argument("--replay", action="store_true", help="as --shared, on the grid's own measurements")
    parser.add_argument("--repeats", type=int, default=10, help="fresh processes to hold promises against")
    options = parser.parse_args()
    if options.shared and options.replay:
        parser.error("--shared and --replay: expected one of them")
    if options.budgets < 1 or options.repeats < 0:
        parser.error("--budgets and --repeats: expected 1 or more, and 0 or more")
    return options


def measured_grid(options: argparse.Namespace, field: Field) -> PickReport:
    """Every candidate in full."""
    folder = options.work / "grid"
    return pick(options.task, options.data, Budget(), field, cache=folder, exhaustive=True, note=progress)


def budgets_over(grid: PickReport, count: int) -> list[float]:
    """Times spread evenly, on a logarithmic scale, over those of the grid, ms."""
    times = [row.costs.promised_ms for row in grid.rows if row.costs is not None]
    if not times:
        raise LigeraError("no candidate of the grid could be measured")
    return [float(f"{value:.3g}") for value in np.geomspace(min(times) * 1.05, max(times) * 1.05, count)]


def run_trial(options: argparse.Namespace, field: Field, grid: PickReport, max_ms: float) -> tuple[Trial, Row | None]:
    """One budget; also the row that was picked for it."""
    budget = Budget(max_ms=max_ms)
    cache = options.work / f"budget-{max_ms:g}"
    if options.shared or options.replay:
        cache = options.work / ("shared" if options.shared else "grid")
    print(f"\nbudget {max_ms:g} ms", file=sys.stderr)
    report = pick(options.task, options.data, budget, field, cache=cache, note=progress)
    best, found = winner_of(grid.rows, budget), report.choice.winner
    noisy = any(row.noise for row in (best, found) if row is not None)
    said = verdict(best, found, budget, grid)
    share = report.worth_s / grid.worth_s
    return Trial(max_ms, key_of(best), key_of(found), said, report.worth_s, share, noisy), found


def verdict(best: Row | None, found: Row | None, budget: Budget, grid: PickReport) -> str:
    """``same``, ``equal``, ``on the edge`` or ``other``, see above."""
    if key_of(best) == key_of(found):
        return "same"
    if best is not None and found is not None and best.rank == found.rank:
        return "equal"
    # one of the two is thought to break the budget by one of the measurements only
    in_grid = {key_of(row): row for row in grid.rows if row.costs is not None}
    rows = [row for row in (best, found, in_grid.get(key_of(found))) if row is not None]
    edges = [(row.costs.latency.low, max(row.costs.promised_ms, row.costs.latency.high)) for row in rows]
    return "on the edge" if any(low <= (budget.max_ms or 0) <= 1.05 * high for low, high in edges) else "other"


def held(options: argparse.Namespace, winners: list[Row]) -> Iterator[Promise]:
    """Fresh processes of what was picked, each winner in turn; those of a killed run count as they were."""
    judge = open_judge(options.task, options.data)
    kept = options.work / "promises"
    kept.mkdir(parents=True, exist_ok=True)
    with Measurer(options.task, options.data, judge, Store(kept / "cache")) as measurer:
        for number in range(options.repeats):
            row = winners[number * len(winners) // max(1, options.repeats) % len(winners)]
            file = kept / f"{number:02d}.json"
            if not file.is_file():
                print(f"fresh process {number + 1} of {options.repeats}: {key_of(row)}", file=sys.stderr)
                visit = undisturbed(measurer, row)
                fresh = {"candidate": key_of(row), "ms": latency_of([visit], 95).value, "noise": visit.noise}
                write_bytes(file, json.dumps(fresh).encode())
            fresh = json.loads(file.read_text())
            if fresh["candidate"] != key_of(row):
                raise LigeraError(f"{file}: is of {fresh['candidate']}, not of {key_of(row)}; remove {kept}")
            promised_ms = row.costs.promised_ms
            yield Promise(key_of(row), promised_ms, fresh["ms"], fresh["ms"] <= promised_ms, tuple(fresh["noise"]))


def undisturbed(measurer: Measurer, row: Row) -> Visit:
    """A fresh process of ``row``; the last of three where all were disturbed."""
    for _ in range(1 + MOST_REPEATED):
        visit = measurer.one_visit([row.candidate])[row.candidate]
        if not visit.noise:
            break
    return visit


def summary(grid: PickReport, trials: list[Trial], promises: list[Promise]) -> dict[str, Any]:
    verdicts = [trial.verdict for trial in trials]
    share = float(np.mean([trial.cost_share for trial in trials]))
    kept = sum(promise.kept for promise in promises)
    noise = sorted({reason for row in grid.rows for reason in row.noise})
    return {
        "candidates": len(grid.rows),
        "pictures": grid.pictures,
        "grid_cost_s": grid.worth_s,
        "same": verdicts.count("same"),
        "equal": verdicts.count("equal"),
        "on_the_edge": verdicts.count("on the edge"),
        "other": verdicts.count("other"),
        "mean_cost_share": share,
        "promises_kept": kept,
        "promises": len(promises),
        "disturbed": sum(bool(promise.noise) for promise in promises),
        "reached": {
            "winner": verdicts.count("same") + verdicts.count("equal") >= ENOUGH_SAME * len(trials),
            "cost": share <= MOST_COST,
            "promise": not promises or kept >= ENOUGH_KEPT * len(promises),
        },
        "noise": noise,
        "noisy_candidates": sum(bool(row.noise) for row in grid.rows),
        "environment": grid.environment,
        "trials": [asdict(trial) for trial in trials],
        "fresh": [asdict(promise) for promise in promises],
    }


def markdown(report: dict[str, Any], trials: list[Trial], promises: list[Promise]) -> str:
    lines = ["| budget ms | best of the grid | picked | verdict | cost |", "| ---: | --- | --- | --- | ---: |"]
    lines += [f"| {t.max_ms:g} | {t.best} | {t.picked} | {t.verdict} | {t.cost_share:.0%} |" for t in trials]
    lines += ["", "| fresh process of | promised ms | took ms | kept |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {p.candidate} | {p.promised_ms:.2f} | {p.fresh_ms:.2f} | {'yes' if p.kept else 'no'} |" for p in promises
    ]
    counts = (
        f"{report['same']} same, {report['equal']} equal, {report['on_the_edge']} on the edge, {report['other']} other"
    )
    lines += ["", f"Winners: {counts} of {len(trials)}. Mean cost {report['mean_cost_share']:.0%} of the grid's"]
    lines[-1] += f" ({report['grid_cost_s']:.0f} s for {report['candidates']} candidates)."
    lines[-1] += f" Promises kept: {report['promises_kept']} of {report['promises']}"
    lines[-1] += f" ({report['disturbed']} of these processes were disturbed all three times)."
    if report["noise"]:
        lines.append(
            f"Noise in {report['noisy_candidates']} of {report['candidates']} candidates of the grid: "
            f"{'; '.join(report['noise'])}."
        )
    return "\n".join(lines)


def key_of(row: Row | None) -> str:
    return "nothing" if row is None else row.candidate.key()


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
