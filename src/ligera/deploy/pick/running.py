"""``pick``: labelled pictures and a budget in, the most accurate model that keeps it on this device out.

In: a task, a data set, a :class:`Budget` and what may compete. Out: :class:`PickReport`. Nothing is written but the
cache of measurements, which lets a killed run go on and another budget be answered at once.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.candidates import Candidate, ModelFacts, grid
from ligera.deploy.pick.choice import Choice, choose
from ligera.deploy.pick.environment import described
from ligera.deploy.pick.intervals import accuracy_of
from ligera.deploy.pick.judging import Judge, open_judge, task_of
from ligera.deploy.pick.measuring import Measurer
from ligera.deploy.pick.probing import expect_some, probe
from ligera.deploy.pick.race import race
from ligera.deploy.pick.row import Row
from ligera.deploy.pick.searched import Searched
from ligera.deploy.pick.standing import Standing
from ligera.deploy.pick.store import Store, pick_folder
from ligera.deploy.pick.variants import Settings, make_variants
from ligera.deploy.pick.words import Words, command_for, mark_of, pick_command, words_of
from ligera.deploy.runtimes import RUNTIMES
from ligera.deploy.runtimes.threads import MOST_THREADS, default_threads
from ligera.errors import UsageError, nearest
from ligera.meter.tariff import Tariff

__all__ = ["Field", "PickReport", "pick"]

MOST_BATCH = 256
NO_CONVERSIONS = Settings()
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Field:
    """What competes and how it is run; empty tuples stand for what fits the data and this machine.

    ``models`` are files, ``KIND:FILE`` or built-in names; ``builtin`` adds all built-in ones of the task.
    ``conversions`` are other precisions to make of bundles. ``protocol`` is one of faces only.
    """

    models: tuple[str, ...] = ()
    builtin: bool = True
    sizes: tuple[int, ...] = ()
    runtimes: tuple[str, ...] = ()
    threads: tuple[int, ...] = ()
    batch: int = 1
    conversions: Settings = NO_CONVERSIONS
    protocol: str | None = None

    def __post_init__(self) -> None:
        for name in self.runtimes:
            if name not in RUNTIMES:
                raise UsageError(f"no runtime {name!r}{nearest(name, RUNTIMES)}; known: {', '.join(RUNTIMES)}")
        for count in self.threads:
            if not 1 <= count <= MOST_THREADS:
                raise UsageError(f"--threads: expected 1 to {MOST_THREADS}, got {count}")
        if not 1 <= self.batch <= MOST_BATCH:
            raise UsageError(f"--batch: expected 1 to {MOST_BATCH}, got {self.batch}")


@dataclass(frozen=True, slots=True)
class PickReport:
    """The answer with all that it stands on. ``left_out`` says of models why they could not compete, ``warnings`` what
    its reader should know; ``cost_s`` was spent measuring now, ``worth_s`` in all, with what came from the cache.
    ``searched`` is what an architecture search added to the candidates, ``layers`` how those of the winner ran."""

    task: str
    data: str
    budget: Budget
    field: Field
    metric: str
    protocol: str
    pictures: int
    timed_pictures: int
    rows: tuple[Row, ...]
    choice: Choice
    left_out: dict[str, str]
    warnings: tuple[str, ...]
    environment: dict[str, Any]
    energy_note: str
    tariff: str
    cost_s: float
    worth_s: float
    measured: int
    cached: int
    group_name: str
    searched: Searched | None = None
    layers: dict[str, Any] | None = None

    def words(self) -> Words:
        """The answer in sentences."""
        return words_of(self)

    def mark(self, row: Row) -> str:
        """What stands before a row in a table, see ``words``."""
        return mark_of(self, row)

    def command(self) -> str:
        """The command line that asks for this again."""
        return pick_command(self)

    def as_dict(self) -> dict[str, Any]:
        """The report ready for JSON."""
        choice, words = self.choice, self.words()
        return {
            "task": self.task,
            "data": self.data,
            "command": self.command(),
            "metric": self.metric,
            "protocol": self.protocol,
            "pictures": self.pictures,
            "timed_pictures": self.timed_pictures,
            "budget": self.budget.as_dict(),
            "winner": self._dict_of(choice.winner),
            "relaxed": self._dict_of(choice.relaxed),
            "missed": [self._dict_of(row) for row in choice.missed],
            "enough": list(choice.enough),
            "answer": words.answer,
            "details": list(words.details),
            "candidates": [self._dict_of(row) for row in self.rows],
            "left_out": self.left_out,
            "warnings": list(self.warnings),
            "environment": self.environment,
            "energy": self.energy_note,
            "tariff": self.tariff,
            "cost_s": self.cost_s,
            "worth_s": self.worth_s,
            "measured": self.measured,
            "cached": self.cached,
            "layers": self.layers,
            "searched": None if self.searched is None else self.searched.as_dict(),
        }

    def _dict_of(self, row: Row | None) -> dict[str, Any] | None:
        return None if row is None else row.as_dict() | {"command": command_for(self, row)}


def pick(
    task_name: str,
    data: Path,
    budget: Budget,
    field: Field | None = None,
    *,
    tariff: str | float | None = None,
    cache: Path | None = None,
    again: bool = False,
    exhaustive: bool = False,
    searched: Searched | None = None,
    note: Note = lambda text: None,
) -> PickReport:
    """The most accurate of the candidates that keeps ``budget`` on this device.

    ``tariff`` prices energy (EUR/kWh or a file). ``again`` measures anew what the cache holds; ``exhaustive`` measures
    every candidate in full. ``searched`` adds what a search found to the candidates. Raises ``UsageError`` for a task,
    budget or candidate that makes no sense, ``DataError`` for data that cannot be read or has no labels. Models that
    cannot be run are left out and named in the report.
    """
    field = field or Field()
    task = task_of(task_name)
    prices = Tariff.flat() if tariff is None else Tariff.read(tariff)
    if field.batch > 1 and task_name != "classify":
        raise UsageError(f"--batch: {task_name} go one picture at a time; leave it out")
    note("reading the data")
    judge = open_judge(task_name, data, field.protocol)
    note("opening the models")
    found = () if searched is None else (searched.model,)
    models, left_out = probe(task_name, task, (*field.models, *found), field.builtin)
    expect_some(models, left_out, task_name)
    store = Store(cache or pick_folder())
    models += make_variants(models, field.conversions, data, store.folder, left_out, note)
    candidates = _candidates(models, judge, field)
    with Measurer(
        task_name, data, judge, store, protocol=field.protocol, batch=field.batch, again=again, note=note
    ) as measurer:
        standings = race(candidates, budget, measurer, exhaustive=exhaustive)
        note("putting the answer together")
        price = float(np.mean(prices.prices))
        rows = tuple(_row(standing, measurer, budget, price) for standing in standings)
        choice = choose(rows, budget)
        layers = None if choice.winner is None else measurer.layers(choice.winner.candidate)
        return PickReport(
            task=task_name,
            data=str(data),
            budget=budget,
            field=field,
            metric=judge.metric,
            protocol=judge.protocol,
            pictures=len(judge),
            timed_pictures=len(measurer.timed_rows),
            rows=rows,
            choice=choice,
            left_out=left_out,
            warnings=_warnings(rows, store, len(judge)),
            environment=described(tuple(dict.fromkeys(row.candidate.runtime for row in rows))),
            energy_note=next((row.costs.energy_j.note for row in rows if row.costs is not None), ""),
            tariff=f"{price:g} EUR/kWh" if prices.is_flat else f"{price:.3g} EUR/kWh, the mean of {prices}",
            cost_s=measurer.cost_s,
            worth_s=store.worth_s,
            measured=measurer.measured,
            cached=measurer.cached,
            group_name=judge.group_name,
            searched=searched,
            layers=layers,
        )


def _candidates(models: Sequence[ModelFacts], judge: Judge, field: Field) -> tuple[Candidate, ...]:
    installed = tuple(name for name in RUNTIMES if importlib.util.find_spec(name) is not None)
    most = default_threads()
    return grid(
        models,
        longest_px=judge.longest_px,
        sizes=field.sizes,
        runtimes=field.runtimes or installed,
        threads=field.threads or tuple(sorted({1, most})),
    )


def _row(standing: Standing, measurer: Measurer, budget: Budget, eur_per_kwh: float) -> Row:
    visits = standing.visits
    accuracy = None
    if standing.said and standing.redrawn is not None:
        accuracy = accuracy_of(standing.value or 0.0, standing.redrawn, len(standing.said))
    return Row(
        candidate=standing.candidate,
        metric=measurer.judge.metric,
        accuracy=accuracy,
        costs=standing.costs(budget.percentile),
        rough_ms=_rough_ms(standing, budget),
        groups=measurer.groups(standing.candidate) if visits else {},
        peak_mb=max((visit.peak_mb for visit in visits if visit.peak_mb is not None), default=None),
        cold_start_ms=float(np.median([visit.started_ms for visit in visits])) if visits else None,
        heard_in="" if standing.heard_from is None else standing.heard_from.candidate.runtime,
        dropped=standing.dropped,
        noise=tuple(dict.fromkeys(reason for visit in visits for reason in visit.noise)),
        measured_at=visits[-1].at if visits else "",
        eur_per_kwh=eur_per_kwh,
    )


def _rough_ms(standing: Standing, budget: Budget) -> float | None:
    """The percentile that the budget bounds, so that it can stand in one picture with those measured in full."""
    if standing.screening is None:
        return None
    return float(np.quantile(standing.screening.times_ms, budget.percentile / 100))


def _warnings(rows: Sequence[Row], store: Store, pictures: int) -> tuple[str, ...]:
    found = []
    noisy = [row for row in rows if row.noise]
    timed = sum(row.costs is not None for row in rows)
    if noisy:
        found.append(
            f"the machine was busy while {len(noisy)} of {timed} candidates were timed ({noisy[0].noise[0]}); times "
            "marked ~ are no promise: measure again on a quiet machine with --again"
        )
    if pictures < FEW_PICTURES:
        found.append(f"{pictures} labelled pictures are few: the intervals of the accuracies are wide")
    if store.damaged:
        found.append(f"{store.damaged} damaged files of the cache in {store.folder} were ignored and measured again")
    if store.unwritten:
        found.append(f"the cache cannot be written ({store.trouble}); a killed run would begin anew")
    return tuple(found)


FEW_PICTURES = 50
