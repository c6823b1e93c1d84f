"""What was measured here, in tables of its own: scores, classes, what it cost and saved, single steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ligera.studies.manuscripts.cases import Case
from ligera.studies.manuscripts.judging import KINDS
from ligera.studies.manuscripts.measured import Measured, Steps
from ligera.studies.manuscripts.paper import TOPICS
from ligera.studies.manuscripts.words import COLUMNS, NOT_MEASURED, case_words, number, percent, with_spread
from ligera.studies.table import Table

__all__ = ["STEP_BASE", "classes_table", "costs_table", "scores_table", "steps_table"]

STEP_BASE = "ResNet-50a"
# Minutes of 450 epochs with batch 2, tables 3.22 and 3.24.
PAPER_MINUTES = {
    row.case.backbone: row.minutes
    for topic in TOPICS
    for row in topic.rows
    if row.table in ("3.21, 3.22", "3.23, 3.24")
}


def scores_table(measured: Measured, cases: Sequence[Case], note: str) -> Table:
    """Every case asked for or standing here."""
    columns = ("case", "seeds", *(f"{kind} {name}" for kind in KINDS for name in COLUMNS.values()))
    rows = [
        (
            case_words(case),
            str(len(measured.runs.get(case, ()))),
            *(
                with_spread(measured.score(case, kind, figure), unknown=_unknown(measured, case))
                for kind, figure in _ALL
            ),
        )
        for case in cases
    ]
    return Table("Measured here: scores, %", columns, tuple(rows), note)


_ALL = tuple((kind, figure) for kind in KINDS for figure in COLUMNS)


def _unknown(measured: Measured, case: Case) -> str:
    """What a figure reads that no run has: of a trained case there was nothing to find in that range of sizes."""
    return "none there" if case in measured.runs else NOT_MEASURED


def classes_table(measured: Measured, note: str) -> Table:
    """AP and AP50 of each class, boxes and masks, mean over the seeds."""
    names = list(
        dict.fromkeys(n for runs in measured.runs.values() for run in runs for n in run.scores.by_class["box"])
    )
    figures = ("ap", "ap50")
    columns = ("case", *(f"{name} {kind} {COLUMNS[figure]}" for name in names for kind in KINDS for figure in figures))
    rows = []
    for case, runs in measured.runs.items():
        cells = []
        for name in names:
            for kind in KINDS:
                for figure in figures:
                    values = [run.scores.by_class[kind].get(name, {}).get(figure) for run in runs]
                    known = [100 * value for value in values if value is not None]
                    cells.append(f"{np.mean(known):.2f}" if len(known) == len(runs) else "none there")
        rows.append((case_words(case), *cells))
    return Table("Measured here: classes, %", columns, tuple(rows), note)


def costs_table(measured: Measured, cases: Sequence[Case], base: Case, note: str) -> Table:
    """What each case took, and what it saved of the base case's."""
    columns = (
        *("case", "seeds", "steps", "minutes", "of CPU", "peak memory, MiB", "kWh", "EUR cents"),
        *("minutes saved", "kWh saved", "EUR saved", "box AP gained", "mask AP gained"),
    )
    rows = [_cost_row(measured, case, base) for case in cases]
    return Table(f"Measured here: cost, and savings against {base.name}", columns, tuple(rows), note)


def _cost_row(measured: Measured, case: Case, base: Case) -> tuple[str, ...]:
    runs = measured.runs.get(case, ())
    if not runs:
        return (case_words(case), "0", *[NOT_MEASURED] * 11)
    euros = measured.figure(case, "euros")
    cents = None if euros is None else type(euros)(100 * euros.mean, 100 * euros.deviation, 100 * euros.half, euros.n)
    memory = measured.figure(case, "memory_mib")
    against = ("-",) * 5 if case == base else _against(measured, case, base)
    return (
        *(case_words(case), str(len(runs)), f"{runs[0].steps:,}"),
        *(number(measured.figure(case, name)) for name in ("minutes", "cpu_minutes")),
        "unknown" if memory is None else f"{memory.mean:,.0f} ({runs[0].memory_of})",
        *(number(measured.figure(case, "kwh")), number(cents), *against),
    )


def _against(measured: Measured, case: Case, base: Case) -> tuple[str, ...]:
    saved = (percent(measured.saved_percent(case, base, name)) for name in ("minutes", "kwh", "euros"))
    return (*saved, *(with_spread(measured.gained(case, base, kind)) for kind in KINDS))


def steps_table(measured: Measured, backbones: Sequence[str], note: str) -> Table:
    """Single steps of each backbone, which cost little to measure where whole trainings do not fit."""
    columns = (
        *("backbone", "s a step", "of CPU", "least to most", "n", f"of {STEP_BASE}'s", "paper: of ResNet-50's"),
        *("peak memory, MiB", "foretold, MiB", "pictures a minute"),
    )
    base = measured.steps.get(STEP_BASE)
    rows = [_step_row(name, measured.steps.get(name), base, measured.failed) for name in backbones]
    return Table("Measured here: a step of each backbone", columns, tuple(rows), note)


def _step_row(name: str, steps: Steps | None, base: Steps | None, failed: dict[str, str]) -> tuple[str, ...]:
    paper = PAPER_MINUTES.get(name)
    whole = PAPER_MINUTES[STEP_BASE]
    share = f"{paper / whole:.2f}" if paper and whole else "-"
    if steps is None:
        why = "did not fit" if any(key.startswith(f"{name}-b") for key in failed) else NOT_MEASURED
        return (name, *[why] * 5, share, *[why] * 3)
    median, prices = float(np.median(steps.step_s)), steps.price_s
    return (
        *(name, f"{median:.3g}", f"{np.median(steps.cpu_s):.3g}", f"{min(prices):.3g} to {max(prices):.3g}"),
        *(str(len(prices)), NOT_MEASURED if base is None else f"{np.median(prices) / np.median(base.price_s):.2f}"),
        share,
        "unknown" if steps.memory_mib is None else f"{steps.memory_mib:,.0f} ({steps.memory_of})",
        f"{steps.foretold_mb * 1e6 / 2**20:,.0f}",
        f"{60 * steps.batch / median:.1f}",
    )
