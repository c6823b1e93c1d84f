"""What stands in a study's folder -> figures by case: scores, minutes, memory, energy, euros, and savings.

Minutes are those of the steps (``train_s`` of the run's history); energy and minutes of CPU are the meter's of the
phase ``train``, which also counts steps that a kill made in vain. Start-up and scoring are in neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ligera.errors import DataError
from ligera.meter import Cost, read_cost
from ligera.studies.manuscripts.cases import Case, read_name
from ligera.studies.manuscripts.judging import Scores, read_scores
from ligera.studies.manuscripts.memory import peak_memory
from ligera.studies.statistics import Spread, paired, spread
from ligera.studies.trials import read_outcome

__all__ = ["Measured", "Run", "Steps", "read_all"]


@dataclass(frozen=True, slots=True)
class Run:
    """One trained and scored trial; ``kwh`` and ``euros`` are ``None`` where the energy is unknown."""

    case: Case
    seed: int
    scores: Scores
    minutes: float
    cpu_minutes: float
    steps: int
    memory_mib: float | None
    memory_of: str
    kwh: float | None
    euros: float | None
    energy_source: str

    def score(self, kind: str, figure: str) -> float | None:
        """In percent."""
        value = self.scores.overall[kind][figure]
        return None if value is None else 100 * value


@dataclass(frozen=True, slots=True)
class Steps:
    """Timed steps of one backbone, s of time and s of CPU each, and the peak memory of the process that took them."""

    backbone: str
    batch: int
    step_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    memory_mib: float | None
    memory_of: str
    foretold_mb: float

    @property
    def price_s(self) -> tuple[float, ...]:
        """By what backbones are compared: on a card by time, else by time of CPU, which other load disturbs least."""
        return self.step_s if self.memory_of == "GPU" else self.cpu_s


@dataclass(frozen=True, slots=True)
class Measured:
    """``runs`` by case in the order of their seeds, ``steps`` by backbone, ``failed``: trials or backbones, and why."""

    runs: dict[Case, tuple[Run, ...]] = field(default_factory=dict)
    steps: dict[str, Steps] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def score(self, case: Case, kind: str, figure: str) -> Spread | None:
        """In percent over the seeds; ``None`` where it is not known of each."""
        return _spread([run.score(kind, figure) for run in self.runs.get(case, ())])

    def figure(self, case: Case, name: str) -> Spread | None:
        """``minutes``, ``cpu_minutes``, ``memory_mib``, ``kwh`` or ``euros`` over the seeds."""
        return _spread([getattr(run, name) for run in self.runs.get(case, ())])

    def pairs(self, case: Case, base: Case) -> list[tuple[Run, Run]]:
        """Runs of both with the same seed."""
        others = {run.seed: run for run in self.runs.get(base, ())}
        return [(run, others[run.seed]) for run in self.runs.get(case, ()) if run.seed in others]

    def saved_percent(self, case: Case, base: Case, name: str) -> float | None:
        """Percent of ``name`` that ``case`` did without, means over the seeds of both; ``None`` where not known."""
        own, other = ([getattr(run, name) for run in part] for part in _both(self.pairs(case, base)))
        if not own or None in own or None in other or not sum(other):
            return None
        return 100 * (1 - sum(own) / sum(other))

    def gained(self, case: Case, base: Case, kind: str = "box", figure: str = "ap") -> Spread | None:
        """Points more than ``base``, seed by seed."""
        own, other = ([run.score(kind, figure) for run in part] for part in _both(self.pairs(case, base)))
        if not own or None in own or None in other:
            return None
        return paired(own, other)  # type: ignore[arg-type]


def _both(pairs: Sequence[tuple[Run, Run]]) -> tuple[list[Run], list[Run]]:
    return [own for own, _ in pairs], [other for _, other in pairs]


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return spread(known) if known and len(known) == len(values) else None


def read_all(folder: Path, eur_per_kwh: float) -> Measured:
    """Everything finished in ``folder``, whatever command it was made by, by seed and shortest case first."""
    runs: dict[Case, list[Run]] = {}
    for place in sorted((folder / "train").glob("*")):
        named = read_name(place.name)
        if named and (place / "scores.json").is_file():
            runs.setdefault(named[0], []).append(_read_run(place, *named, eur_per_kwh))
    order = sorted(runs, key=lambda case: (case.epochs, case.backbone, case.steps, case.batch))
    return Measured(
        {case: tuple(sorted(runs[case], key=lambda run: run.seed)) for case in order},
        {steps.backbone: steps for path in sorted((folder / "steps").glob("*.json")) for steps in [_read_steps(path)]},
        {path.stem: str(_read(path)["reason"]) for path in sorted((folder / "failed").glob("*.json"))},
    )


def _read_run(place: Path, case: Case, seed: int, eur_per_kwh: float) -> Run:
    outcome, cost, scores = read_outcome(place), read_cost(place, tariff=eur_per_kwh), read_scores(place)
    memory = peak_memory(place, cost)
    kwh = cost.phases["train"]["energy_kwh"].value
    return Run(
        case=case,
        seed=seed,
        scores=scores,
        minutes=sum(row["train_s"] for row in outcome.history) / 60,
        cpu_minutes=(cost.phases["train"]["cpu_s"].value or 0.0) / 60,
        steps=int(outcome.history[-1]["steps"]),
        memory_mib=memory.mib,
        memory_of=memory.of,
        kwh=kwh,
        euros=None if kwh is None else kwh * eur_per_kwh,
        energy_source=_source(cost),
    )


def _source(cost: Cost) -> str:
    figure = cost.figures["energy_kwh"]
    return f"{figure.source} ({figure.note})" if figure.note else figure.source


def _read_steps(path: Path) -> Steps:
    found = _read(path)
    try:
        times, cpu_times = (tuple(float(value) for value in found[name]) for name in ("step_s", "cpu_s"))
        if not times or not sum(cpu_times):
            raise ValueError
        memory = found["memory_mib"], str(found["memory_of"])
        return Steps(
            str(found["backbone"]), int(found["batch"]), times, cpu_times, *memory, float(found["foretold_mb"])
        )
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}: damaged; remove it, and its steps are timed again") from None


def _read(path: Path) -> Any:
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError
        return found
    except (OSError, ValueError):
        raise DataError(f"{path}: damaged; remove it, and what it was of is done again") from None
