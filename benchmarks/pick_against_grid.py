"""Does ``ligera pick`` find what measuring everything finds, for a quarter of the effort, and are its promises kept?

The whole grid is measured in full once. Then, for each of a number of budgets spread over the grid's times, ``pick`` is
run with an empty cache, and its winner is held against the best of the grid. At last models that were picked are timed
in fresh processes, and the percentile there is held against what was promised. To reach: the same winner in 19 of 20
budgets, on average at most 25 % of the grid's cost, and 9 of 10 promises kept.

A winner is the same where model, file, precision, size, runtime and threads are; ``equal`` where its accuracy is, to a
tenth of a point, and both keep the budget; ``on the edge`` where the budget lies within what two measurements of one
candidate differ by, so that measuring everything twice would disagree with itself.

Run: python benchmarks/pick_against_grid.py --data DIR --work FOLDER [--model yunet:FILE ...] [--budgets 20]
A killed run goes on with the budgets that are missing. On a noisy machine the numbers say little: see ``noise``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.choice import winner_of
from ligera.deploy.pick.intervals import latency_of
from ligera.deploy.pick.judging import TASKS, open_judge
from ligera.deploy.pick.measuring import Measurer
from ligera.deploy.pick.row import Row
from ligera.deploy.pick.running import Field, PickReport, pick
from ligera.deploy.pick.store import Store
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
        calibrate=options.calibrate,
    )
    try:
        grid, grid_s = measured_grid(options, field)
        trials, winners = run_trials(options, field, grid, grid_s)
        promises = held(options, winners) if winners else []
    except LigeraError as error:
        sys.exit(f"pick_against_grid: {error}")
    report = summary(grid, grid_s, trials, promises)
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
    parser.add_argument("--repeats", type=int, default=10, help="fresh processes to hold promises against")
    options = parser.parse_args()
    if options.budgets < 1 or options.repeats < 0:
        parser.error("--budgets and --repeats: expected 1 or more, and 0 or more")
    return options


def measured_grid(options: argparse.Namespace, field: Field) -> tuple[PickReport, float]:
    """Every candidate in full, and what that cost, s; the cost is kept beside, as a second call costs nothing."""
    folder, cost_file = options.work / "grid", options.work / "grid_cost.json"
    known = json.loads(cost_file.read_text()) if cost_file.is_file() else None
    if known is None and folder.exists():
        raise LigeraError(f"{folder}: is of a run that was killed, so that its cost is not known; remove it")
    report = pick(options.task, options.data, Budget(), field, cache=folder, exhaustive=True, note=progress)
    if known is None:
        write_bytes(cost_file, json.dumps({"cost_s": report.cost_s}).encode())
    return report, report.cost_s if known is None else known["cost_s"]


def budgets_over(grid: PickReport, count: int) -> list[float]:
    """Times spread evenly, on a logarithmic scale, over those of the grid, ms."""
    times = [row.costs.promised_ms for row in grid.rows if row.costs is not None]
    if not times:
        raise LigeraError("no candidate of the grid could be measured")
    return [float(f"{value:.3g}") for value in np.geomspace(min(times) * 1.05, max(times) * 1.05, count)]


def run_trials(
    options: argparse.Namespace, field: Field, grid: PickReport, grid_s: float
) -> tuple[list[Trial], list[Row]]:
    trials, winners = [], []
    for number, max_ms in enumerate(budgets_over(grid, options.budgets)):
        budget = Budget(max_ms=max_ms)
        cost_file = options.work / f"budget-{number:02d}.json"
        cache = options.work / f"budget-{number:02d}"
        if not cost_file.is_file():
            # of a run that was killed in it: what it had spent is not known
            shutil.rmtree(cache, ignore_errors=True)
        print(f"budget {number + 1} of {options.budgets}: {max_ms:g} ms", file=sys.stderr)
        report = pick(options.task, options.data, budget, field, cache=cache, note=progress)
        if not cost_file.is_file():
            write_bytes(cost_file, json.dumps({"cost_s": report.cost_s}).encode())
        cost_s = json.loads(cost_file.read_text())["cost_s"]
        best, found = winner_of(grid.rows, budget), report.choice.winner
        if found is not None:
            winners.append(found)
        noisy = any(row.noise for row in (best, found) if row is not None)
        names = (key_of(best), key_of(found))
        trials.append(Trial(max_ms, *names, verdict(best, found, budget, grid), cost_s, cost_s / grid_s, noisy))
    return trials, winners


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


def held(options: argparse.Namespace, winners: list[Row]) -> list[Promise]:
    """Fresh processes of what was picked, each winner in turn."""
    judge = open_judge(options.task, options.data)
    promises = []
    with Measurer(options.task, options.data, judge, Store(options.work / "promises")) as measurer:
        for number in range(options.repeats):
            row = winners[number * len(winners) // max(1, options.repeats) % len(winners)]
            print(f"fresh process {number + 1} of {options.repeats}: {key_of(row)}", file=sys.stderr)
            visit = measurer.one_visit([row.candidate])[row.candidate]
            fresh_ms = latency_of([visit], 95).value
            promised_ms = row.costs.promised_ms
            promises.append(Promise(key_of(row), promised_ms, fresh_ms, fresh_ms <= promised_ms, visit.noise))
    return promises


def summary(grid: PickReport, grid_s: float, trials: list[Trial], promises: list[Promise]) -> dict[str, Any]:
    verdicts = [trial.verdict for trial in trials]
    share = float(np.mean([trial.cost_share for trial in trials]))
    kept = sum(promise.kept for promise in promises)
    noise = sorted({reason for row in grid.rows for reason in row.noise})
    return {
        "candidates": len(grid.rows),
        "pictures": grid.pictures,
        "grid_cost_s": grid_s,
        "same": verdicts.count("same"),
        "equal": verdicts.count("equal"),
        "on_the_edge": verdicts.count("on the edge"),
        "other": verdicts.count("other"),
        "mean_cost_share": share,
        "promises_kept": kept,
        "promises": len(promises),
        "reached": {
            "winner": verdicts.count("same") + verdicts.count("equal") >= ENOUGH_SAME * len(trials),
            "cost": share <= MOST_COST,
            "promise": not promises or kept >= ENOUGH_KEPT * len(promises),
        },
        "noise": noise,
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
    lines[-1] += f" ({report['grid_cost_s']:.0f} s). Promises kept: {report['promises_kept']} of {report['promises']}."
    if report["noise"]:
        lines.append(f"Too noisy for this to be quoted: {'; '.join(report['noise'])}.")
    return "\n".join(lines)


def key_of(row: Row | None) -> str:
    return "nothing" if row is None else row.candidate.key()


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
