"""Study ``facenas``: its settings, its searches and its trainings, each a run folder that is not made twice.

Landing: a search by gates with each of the three losses on the target (equations 8, 9, 10 of paper C), seeds paired,
all from one warm-up a seed. Pay: the net found, against random search at equal time, nets drawn at that latency, the
net of fewest multiply-adds there, and other people's nets, under one recipe. Who spends no time on a search spends it
on training: everyone has the same time in all, profiling included.

Without ``table`` its times are estimated, and the report says so. One command for a graphics card:
``ligera study facenas data=D validation=V space=recipes/spaces/gpu.yaml table=T target_ms=5.5 precision=bf16 threads=8
workers=8 side_px=640 batch=24 clock=wall``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ligera.errors import DataError, RecipeError
from ligera.models.catalogue import find
from ligera.search.costs import Costs
from ligera.search.estimate import estimated_table
from ligera.search.losses import KINDS, TargetLoss
from ligera.search.picking import draw_within
from ligera.search.recipe import SearchRecipe, cut, read_search_recipe
from ligera.search.run import Origin, SearchResult, resume_search, search_costs, start_search
from ligera.search.space import read_space
from ligera.search.table import LatencyTable, read_table
from ligera.studies.trials import Listener, Outcome, Trial, run_trials
from ligera.typed_yaml import Frozen

__all__ = ["QUICK", "Contender", "Landing", "Results", "Settings", "run"]

FOUND, RANDOM_SEARCH, DRAWN, FEWEST = "found by gates", "random search", "drawn at random", "fewest multiply-adds"
TABLE = "table.json"


class Settings(Frozen):
    """``data`` is a folder with RetinaFace labels, ``validation`` another that no search sees. ``table`` is one that
    ``ligera profile`` made; ``tables`` are those of further devices, for the report alone. ``profile_minutes`` is what
    making it took. ``target_ms``: the median of random nets where none is given. ``clock``: what equal time means;
    ``cpu`` is steadier where other work runs beside. ``rivals`` are names of the catalogue. ``seeds`` may change from
    one command to the next in one run folder, whose searches are kept.
    """

    data: Path
    validation: Path
    weights: dict[str, float] = Field(default_factory=dict)
    space: Path | None = None
    table: Path | None = None
    tables: tuple[Path, ...] = ()
    profile_minutes: float = Field(0.0, ge=0)
    target_ms: float | None = Field(None, gt=0)
    channels: tuple[tuple[int, ...], ...] | None = ((8, 16), (16, 32), (32, 64), (48, 96))
    rivals: tuple[str, ...] = ("RetinaFace-mobile0.25", "R12_V3_HS")
    losses: tuple[TargetLoss, ...] = KINDS
    seeds: int = Field(10, ge=1, exclude=True)
    trained_seeds: int = Field(3, ge=1)
    side_px: int = 320
    batch: int = Field(8, ge=1)
    samples_per_epoch: int | None = Field(3200, ge=1)
    search_epochs: int = Field(12, ge=2)
    warmup_epochs: int = Field(4, ge=0)
    strength: float = Field(7.0, ge=0)
    gate_learning_rate: float = Field(0.03, gt=0)
    land_within: float = Field(0.01, gt=0, lt=1)
    train_epochs: int = Field(30, ge=1)
    trial_epochs: int = Field(1, ge=1)
    learning_rate: float = Field(0.0015, gt=0)
    precision: str = "bf16"
    threads: int | None = 1
    workers: int = Field(0, ge=0)
    cache: bool = True
    clock: Literal["wall", "cpu"] = "cpu"
    measure: bool = True
    measured_sizes: tuple[tuple[int, int], ...] = ((1, 320), (1, 640), (8, 640))


QUICK = {
    "channels": ((8,), (16,), (32,), (48,)),
    "rivals": ("RetinaFace-mobile0.25",),
    "seeds": 1,
    "trained_seeds": 1,
    "side_px": 64,
    "batch": 4,
    "samples_per_epoch": 32,
    "search_epochs": 4,
    "warmup_epochs": 1,
    "gate_learning_rate": 0.2,
    "train_epochs": 1,
    "cache": False,
    "measure": False,
    "precision": "fp32",
}


@dataclass(frozen=True, slots=True)
class Landing:
    """Where one search by gates came down: cost over target of the likeliest net, and of the one that was taken."""

    loss: str
    seed: int
    likely: float
    taken: float
    name: str


@dataclass(frozen=True, slots=True)
class Contender:
    """One net trained with one seed: what came before its training took ``search_s``, by the study's clock."""

    kind: str
    model: str
    seed: int
    search_s: float
    outcome: Outcome
    architecture: Any
    epochs: int


@dataclass(frozen=True, slots=True)
class Results:
    """All that the report is made of."""

    settings: Settings
    table: LatencyTable
    costs: Costs
    target_ms: float
    landings: tuple[Landing, ...]
    contenders: dict[str, list[Contender]]


def run(settings: Settings, folder: Path, tell: Listener | None = None) -> Results:
    """Do what ``folder`` does not hold yet."""
    space = cut(read_space(settings.space) if settings.space else _own_space(settings), settings.channels)
    table = _table(settings, space, folder)
    target_ms = settings.target_ms or _median_ms(table, space)
    base = _search_values(settings, folder, target_ms)
    costs = search_costs(SearchRecipe.model_validate({**base, "name": "costs"}), table)
    searches = _Searches(settings, base, folder, _plain(tell))
    landings = [searches.landing(loss, seed) for seed in range(settings.seeds) for loss in settings.losses]
    contenders = _contend(settings, costs, searches, folder, tell)
    return Results(settings, table, costs, target_ms, tuple(landings), contenders)


class _Searches:
    """The searches of the study by name, each done once."""

    def __init__(self, settings: Settings, base: dict[str, Any], folder: Path, tell: Listener) -> None:
        self.settings, self.base, self.folder, self.tell = settings, base, folder, tell
        self.done: dict[str, SearchResult] = {}

    def gates(self, seed: int, loss: str = "absolute") -> SearchResult:
        """The absolute loss's search warms up; those of the others start from the end of that."""
        origin = None if loss == "absolute" else Origin(self.gates(seed).folder)
        return self._one(f"{loss}-seed{seed}", origin, seed=seed, method="gates", target_loss=loss)

    def rival(self, method: str, seed: int, minutes: float | None = None) -> SearchResult:
        """Random search within ``minutes``, or the net of fewest multiply-adds."""
        return self._one(f"{method}-seed{seed}", None, seed=seed, method=method, minutes=minutes)

    def landing(self, loss: str, seed: int) -> Landing:
        found = self.gates(seed, loss).found
        return Landing(loss, seed, found["likely_relative"], found["relative"], found["name"])

    def seconds(self, result: SearchResult) -> float:
        """What a search took, by the study's clock."""
        return float(result.cost["figures"][f"{self.settings.clock}_s"]["value"] or 0.0)

    def _one(self, name: str, origin: Origin | None, **changes: Any) -> SearchResult:
        if name not in self.done:
            self.tell({"trial": f"search {name}"})
            self.done[name] = self._run(name, origin, changes)
        return self.done[name]

    def _run(self, name: str, origin: Origin | None, changes: dict[str, Any]) -> SearchResult:
        place = self.folder / "search" / name
        recipe = SearchRecipe.model_validate({**self.base, "name": name, **changes}).anchored(Path.cwd())
        if not (place / "recipe.yaml").is_file():
            return start_search(recipe, self.folder, self.tell, origin)
        kept = read_search_recipe(place / "recipe.yaml")
        # how long a rival may take follows from a time, which is never the same twice
        if kept.model_copy(update={"minutes": None}) != recipe.model_copy(update={"minutes": None}):
            raise DataError(f"{place}: was made with other settings; give another --runs folder or remove it")
        return resume_search(place, self.tell)


def _contend(
    settings: Settings, costs: Costs, searches: _Searches, folder: Path, tell: Listener | None
) -> dict[str, list[Contender]]:
    train = _Trainings(settings, folder, tell)
    found: dict[str, list[Contender]] = {FOUND: [], RANDOM_SEARCH: []}
    profile_s = settings.profile_minutes * 60
    for seed in range(settings.trained_seeds):
        gates = searches.gates(seed)
        # of the wall clock, which is what random search goes by
        minutes = float(gates.cost["figures"]["wall_s"]["value"] or 60.0) / 60
        for kind, result in ((FOUND, gates), (RANDOM_SEARCH, searches.rival("random", seed, minutes))):
            net = costs.space.architecture(result.found["name"])
            spent = searches.seconds(result) + profile_s
            found[kind].append(train(kind, net.name, seed, spent, net.spec(), settings.train_epochs))
    budget_s = float(np.median([one.search_s + train.seconds(one.outcome) for one in found[FOUND]]))
    fewest = costs.space.architecture(searches.rival("fewest-macs", 0).found["name"])
    for seed in range(settings.trained_seeds):
        drawn = costs.architecture(draw_within(costs, 0.97, 1.03, np.random.default_rng([seed, 7])))
        for kind, net in ((DRAWN, drawn), (FEWEST, fewest)):
            epochs = train.epochs_in(budget_s - profile_s, net.name, net.spec())
            found.setdefault(kind, []).append(train(kind, net.name, seed, profile_s, net.spec(), epochs))
        for name in settings.rivals:
            epochs = train.epochs_in(budget_s, name, None)
            found.setdefault(name, []).append(train(name, name, seed, 0.0, None, epochs))
    return found


class _Trainings:
    """Trainings under the study's one recipe; ``__call__`` trains a contender, or reads back that it was."""

    def __init__(self, settings: Settings, folder: Path, tell: Listener | None) -> None:
        self._settings, self._folder, self._tell = settings, folder, tell

    def __call__(self, kind: str, model: str, seed: int, search_s: float, spec: Any, epochs: int) -> Contender:
        words = kind.replace(" ", "-")
        outcome = self._train(f"{words}-seed{seed}", model, seed, spec, epochs)
        return Contender(kind, model, seed, search_s, outcome, spec, epochs)

    def seconds(self, outcome: Outcome) -> float:
        """What a training took, by the study's clock."""
        return outcome.cpu_seconds if self._settings.clock == "cpu" else outcome.seconds

    def epochs_in(self, budget_s: float, model: str, spec: Any) -> int:
        """How many epochs of ``model`` take so long, by one epoch of it."""
        pilot = self._train(f"pilot-{model}", model, 0, spec, 1)
        return max(1, round(budget_s / max(self.seconds(pilot), 1e-9)))

    def _train(self, name: str, model: str, seed: int, spec: Any, epochs: int) -> Outcome:
        shown = find(model) if spec is None else spec
        values = _training_values(self._settings) | {"model": model, "seed": seed, "epochs": epochs}
        values |= {"architecture": spec, "validation": str(self._settings.validation), "evaluate_every": 10**6}
        values |= {"loss": "quality" if shown.score_channels == 1 else "multibox"}
        return run_trials([Trial(name, values)], self._folder, self._tell)[name]


def _training_values(settings: Settings) -> dict[str, Any]:
    """What searches and trainings have in common."""
    return {
        "data": [{"path": str(settings.data), "weights": settings.weights}],
        "side_px": settings.side_px,
        "batch": settings.batch,
        "samples_per_epoch": settings.samples_per_epoch,
        "augment": {"crop_ratios": [0.45, 0.6, 0.8, 1.0, 1.25, 1.5], "keep_face_px": 8.0, "min_face_px": 4.0},
        "learning_rate": settings.learning_rate,
        "warmup_steps": 20,
        "ema_decay": 0.998,
        "precision": settings.precision,
        "threads": settings.threads,
        "workers": settings.workers,
        "cache": settings.cache,
    }


def _search_values(settings: Settings, folder: Path, target_ms: float) -> dict[str, Any]:
    return _training_values(settings) | {
        "table": str(folder / TABLE),
        "space": str(settings.space) if settings.space and settings.table else None,
        "channels": settings.channels,
        "targets": [{"attribute": "latency_ms", "target": target_ms}],
        "epochs": settings.search_epochs,
        "warmup_epochs": settings.warmup_epochs,
        "strength": settings.strength,
        "gate_learning_rate": settings.gate_learning_rate,
        "land_within": settings.land_within,
        "measure": settings.measure,
        "trial_epochs": settings.trial_epochs,
        "rungs": 2,
    }


def _own_space(settings: Settings) -> Any:
    if settings.table is None:
        raise RecipeError("study facenas: space: missing; give space=recipes/spaces/tiny.yaml, or table=FILE, or both")
    return read_table(settings.table).space


def _table(settings: Settings, space: Any, folder: Path) -> LatencyTable:
    """The table of the study, kept in its folder; estimated where the settings name none."""
    kept = folder / TABLE
    if kept.is_file():
        return read_table(kept)
    table = read_table(settings.table) if settings.table else estimated_table(space)
    table.write(kept)
    return table


def _median_ms(table: LatencyTable, space: Any) -> float:
    random = np.random.default_rng(0)
    return round(float(np.median([table.latency_ms(space.sample(random)) for _ in range(101)])), 4)


def _plain(tell: Listener | None) -> Callable[[dict[str, Any]], None]:
    """``tell`` without the rows of candidates, which a training's progress does not know."""

    def told(row: dict[str, Any]) -> None:
        if tell is not None and "candidate" not in row:
            tell(row)

    return told
