"""Tables 3.3 to 3.28 of paper B, each figure of the paper's in a row of its own above ours of the same case."""

from __future__ import annotations

from collections.abc import Iterator

from ligera.studies.manuscripts.cases import Case
from ligera.studies.manuscripts.judging import KINDS
from ligera.studies.manuscripts.measured import Measured
from ligera.studies.manuscripts.paper import TOPICS, Published, Topic
from ligera.studies.manuscripts.words import (
    COLUMNS,
    NOT_MEASURED,
    case_words,
    minutes_words,
    number,
    percent,
    with_spread,
)
from ligera.studies.table import Table

__all__ = ["paper_tables"]


def paper_tables(measured: Measured, base: Case, note: str) -> Iterator[Table]:
    """For each question of the paper a table of scores and one of costs."""
    for topic in TOPICS:
        yield _scores(topic, measured, note)
        yield _costs(topic, measured, base)


def _scores(topic: Topic, measured: Measured, note: str) -> Table:
    rows = []
    for case in topic.cases:
        for kind in KINDS:
            for row in topic.rows:
                if row.case == case:
                    rows.append((case_words(case), kind, f"paper, {row.table}", *_published(getattr(row, kind))))
            ours = (with_spread(measured.score(case, kind, figure)) for figure in COLUMNS)
            rows.append((case_words(case), kind, "ours", *ours))
    return Table(f"{topic.title}: scores, %", ("case", "of", "whose", *COLUMNS.values()), tuple(rows), note)


def _published(values: tuple[float, ...]) -> list[str]:
    return [f"{values[place]:.2f}" if place < len(values) else "-" for place in range(len(COLUMNS))]


def _costs(topic: Topic, measured: Measured, base: Case) -> Table:
    rows = []
    for case in topic.cases:
        rows += [_paper_cost(row) for row in topic.rows if row.case == case]
        rows.append(_our_cost(measured, case, base))
    columns = ("case", "whose", "time", "memory, MiB", "kWh", "EUR cents", "kWh saved")
    note = (
        "Paper: two cards, mean memory of each, savings against its base case. Ours: peak, savings against "
        f"{base.name}; kWh and cents of training alone."
    )
    return Table(f"{topic.title}: costs", columns, tuple(rows), note)


def _paper_cost(row: Published) -> tuple[str, ...]:
    return (
        *(case_words(row.case), f"paper, {row.table}", minutes_words(row.minutes)),
        " / ".join(f"{mib:,}" for mib in row.memory_mib) or "-",
        *("-" if value is None else f"{value:g}" for value in (row.kwh, row.cents)),
        percent(row.saved_percent, "-"),
    )


def _our_cost(measured: Measured, case: Case, base: Case) -> tuple[str, ...]:
    runs = measured.runs.get(case, ())
    if not runs:
        return (case_words(case), "ours", *[NOT_MEASURED] * 5)
    minutes, memory, euros = (measured.figure(case, name) for name in ("minutes", "memory_mib", "euros"))
    return (
        *(case_words(case), "ours", f"{number(minutes)} min"),
        "unknown" if memory is None else f"{memory.mean:,.0f} ({runs[0].memory_of})",
        number(measured.figure(case, "kwh")),
        "unknown" if euros is None else f"{100 * euros.mean:.3g}",
        "-" if case == base else percent(measured.saved_percent(case, base, "kwh")),
    )
