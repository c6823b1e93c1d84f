"""A search as its user sees it: a folder that says what was asked and ends in a named architecture.

``runs/search/<name>/`` holds ``recipe.yaml`` (resolved), ``table.json`` (the table searched by), ``environment.json``,
``cost.json``, ``found.yaml`` (the architecture, ready as ``model`` of a training recipe) and ``result.json``. A search
by gates has ``history.jsonl``, ``curves.png``, ``gates.json``, ``checkpoint.pt`` and ``epochs/`` beside; one by
candidates has ``candidates.jsonl`` and a run folder of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.timing.noise import NoiseMeter
from ligera.errors import DataError, RecipeError
from ligera.files import new_run_folder, write_bytes
from ligera.meter import Meter, read_cost
from ligera.search.costs import Choice, Costs, Target, make_costs
from ligera.search.figures import draw_search
from ligera.search.landing import land
from ligera.search.loop import Listener, Search, epoch_file
from ligera.search.picking import best_within, check_reachable
from ligera.search.pieces import net_graph
from ligera.search.recipe import SearchRecipe, cut, dump_search_recipe, read_search_recipe
from ligera.search.space import read_space
from ligera.search.table import LatencyTable, read_table
from ligera.search.trials import evolution, random_search
from ligera.search.whole_nets import NetTimer, is_here
from ligera.train.checkpoint import FILE_NAME
from ligera.train.faces.architecture import NamedArchitecture, write_architecture
from ligera.train.run import environment, gpus

__all__ = ["Origin", "SearchResult", "resume_search", "search_costs", "start_search"]

Again = Callable[[float], Choice | None]
"""The net to take when the table shall say so many times the target."""
CALIBRATIONS = 5  # before each net that is timed
RECIPE, TABLE, RESULT, FOUND = "recipe.yaml", "table.json", "result.json", "found.yaml"


@dataclass(frozen=True, slots=True)
class Origin:
    """Another search's state to start from: after ``epoch`` epochs, after its warm-up where that is ``None``."""

    folder: Path
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Where the run is, what was found (``name``, ``amounts``, ``on_target`` ...) and what the search cost."""

    folder: Path
    found: dict[str, Any]
    cost: dict[str, Any]

    @property
    def architecture(self) -> Path:
        """The file of the net that was found: the ``model`` of a recipe."""
        return self.folder / FOUND


def start_search(
    recipe: SearchRecipe, runs: Path = Path("runs"), listener: Listener | None = None, origin: Origin | None = None
) -> SearchResult:
    """Search in a fresh folder. What is wrong with recipe, table or target is raised before any folder is made."""
    recipe = recipe.anchored(Path.cwd())
    table = _table(recipe)
    costs = search_costs(recipe, table)
    if origin is not None and recipe.method != "gates":
        raise RecipeError(f"method: {recipe.method} has no state to start from, gates have; add --method gates")
    state = None if origin is None else _state(origin)
    folder = new_run_folder(runs, "search", recipe.name)
    if state is not None:
        # its own from here on: killed before its first epoch is over, it must not start from nothing
        write_bytes(folder / FILE_NAME, (state[0] / state[1]).read_bytes())
    table.write(folder / TABLE)
    write_bytes(folder / "environment.json", _json(environment()))
    write_bytes(folder / RECIPE, dump_search_recipe(recipe).encode())
    return _search(recipe, costs, folder, listener)


def resume_search(folder: Path, listener: Listener | None = None) -> SearchResult:
    """Go on with a search that was stopped; one that is done reports its result again."""
    if not (folder / RECIPE).is_file() or not (folder / TABLE).is_file():
        raise DataError(f"{folder}: not a search (no {RECIPE} and {TABLE}); give a folder such as runs/search/NAME")
    recipe = read_search_recipe(folder / RECIPE)
    if (folder / RESULT).is_file() and (folder / FOUND).is_file():
        try:
            return SearchResult(folder, json.loads((folder / RESULT).read_text()), read_cost(folder).as_dict())
        except ValueError:
            raise DataError(f"{folder / RESULT}: damaged; remove it and resume the search again") from None
    costs = search_costs(recipe, read_table(folder / TABLE))
    return _search(recipe, costs, folder, listener)


def search_costs(recipe: SearchRecipe, table: LatencyTable) -> Costs:
    """The costs that ``recipe`` searches by; ``RecipeError`` for targets that are none or that no net reaches."""
    if not recipe.targets:
        raise RecipeError("targets: none given; add --target-ms 12, or targets with attribute and target to the recipe")
    space = cut(read_space(recipe.space) if recipe.space else table.space, recipe.channels)
    costs = make_costs(space, table, recipe.targets, recipe.table_side_px)
    check_reachable(costs, 1 - max(recipe.land_within, recipe.band), 1 + max(recipe.land_within, recipe.band))
    return costs


def _table(recipe: SearchRecipe) -> LatencyTable:
    if recipe.table is None:
        raise RecipeError("table: missing; give --table FILE as 'ligera profile' writes it on the device to search for")
    return read_table(recipe.table)


def _state(origin: Origin) -> tuple[Path, str]:
    epoch = origin.epoch
    if epoch is None:
        if not (origin.folder / RECIPE).is_file():
            raise DataError(f"{origin.folder}: not a search; give a folder such as runs/search/NAME")
        epoch = read_search_recipe(origin.folder / RECIPE).warmup_epochs
    if not (origin.folder / epoch_file(epoch)).is_file():
        there = sorted(int(path.stem) for path in (origin.folder / "epochs").glob("*.pt"))
        has = f"has the states after epochs {', '.join(map(str, there))}" if there else "has no state of any epoch"
        raise DataError(f"{origin.folder}: {has}, not after {epoch}")
    return origin.folder, epoch_file(epoch)


def _search(recipe: SearchRecipe, costs: Costs, folder: Path, listener: Listener | None) -> SearchResult:
    table = read_table(folder / TABLE)
    with Meter(folder / "cost.json", gpus=gpus()) as meter:
        if recipe.method == "gates":
            choice, facts, again = _by_gates(recipe, costs, folder, meter, listener)
        else:
            with meter.phase("search"):
                choice, facts, again = _by_candidates(recipe, costs, table, folder, listener)
        if recipe.measure and costs.attributes == ("latency_ms",) and is_here(table.device):
            with meter.phase("landing"):
                choice, times = _landed(recipe, costs, table, choice, again)
            facts |= times
    found = _found(recipe, costs, choice) | facts
    cost = read_cost(folder).as_dict()
    facts_of_file = {"found_by": {key: value for key, value in found.items() if key != "name"}}
    named = NamedArchitecture(found["name"], costs.architecture(choice).spec(), facts_of_file)
    write_architecture(folder / FOUND, named)
    write_bytes(folder / RESULT, _json(found))
    return SearchResult(folder, found, cost)


def _by_gates(
    recipe: SearchRecipe, costs: Costs, folder: Path, meter: Meter, listener: Listener | None
) -> tuple[Choice, dict[str, Any], Again]:
    search = Search(recipe, costs, folder, meter, listener)
    if (folder / FILE_NAME).is_file():
        search.resume()
    search.run()
    choice, on_target = search.found()
    draw_search(search.history, folder / "curves.png")
    widths, slots = search.gates.probabilities()
    gates = {"channels": widths.tolist(), "slots": [slot.tolist() for slot in slots]}
    write_bytes(folder / "gates.json", _json(gates))
    likely = search.gates.most_probable()
    facts = {
        "on_target": on_target,
        "likely": costs.architecture(likely).name,
        "likely_relative": costs.relative(likely),
        "entropy": search.gates.entropy(),
    }
    return choice, facts, search.found_near


def _by_candidates(
    recipe: SearchRecipe, costs: Costs, table: LatencyTable, folder: Path, listener: Listener | None
) -> tuple[Choice, dict[str, Any], Again]:
    tell = listener or (lambda _row: None)
    if recipe.method == "fewest-macs":
        again = _by_macs(recipe, costs, table)
        fewest = again(1.0)
        if fewest is None:
            raise RecipeError(f"target: no net of space {costs.space.name} lies within {recipe.band:.0%} of it")
        return fewest, {"on_target": True}, again
    best = (random_search if recipe.method == "random" else evolution)(recipe, costs, folder, tell)
    # those were trained to be chosen from: another net would be no find of theirs
    return best.choice, {"on_target": True, "held_out_ap50": best.score}, lambda _aim: None


def _by_macs(recipe: SearchRecipe, costs: Costs, table: LatencyTable) -> Again:
    """Of all nets within ``band`` of the target the one of fewest multiply-adds: what counting, not training, says."""
    macs = make_costs(costs.space, table, [Target(attribute="macs", target=1.0)], recipe.table_side_px)
    slots = [-macs.by_combination(slot) for slot in range(len(macs.slots))]
    widths = -(macs.fixed @ macs.factors)
    return lambda aim: best_within(costs, widths, slots, aim * (1 - recipe.band), aim * (1 + recipe.band))


def _landed(
    recipe: SearchRecipe, costs: Costs, table: LatencyTable, choice: Choice, again: Again
) -> tuple[Choice, dict[str, Any]]:
    """The net to take by the clock, and what was measured; ``choice`` where the machine was too noisy to tell."""
    side_px, target_ms = costs.space.side(recipe.table_side_px), recipe.targets[0].target
    device, noise = table.device, NoiseMeter(threads=table.device.threads)
    time_net = NetTimer(table.settings, threads=device.threads, runtime=device.runtime, table=table)

    def measure(one: Choice) -> float:
        graph = net_graph(costs.architecture(one), device.precision)
        for _ in range(CALIBRATIONS):
            noise.calibrate()
        return time_net(graph, (costs.space.batch, 3, side_px, side_px)) / target_ms

    within = recipe.land_within if recipe.method == "gates" else recipe.band
    noise.start()
    tried = land(choice, again, costs.relative, measure, within)
    noise.stop()
    rows = [
        {"name": costs.architecture(one.choice).name, "by_table_ms": one.by_table * target_ms}
        | {"measured_ms": one.measured * target_ms}
        for one in tried
    ]
    if doubts := noise.reasons():
        return choice, {"measured": rows, "doubts": list(doubts)}
    facts = {"measured": rows, "measured_ms": rows[0]["measured_ms"]}
    if within:
        facts["on_target"] = abs(tried[0].measured - 1) <= within
    return tried[0].choice, facts


def _found(recipe: SearchRecipe, costs: Costs, choice: Choice) -> dict[str, Any]:
    amounts = dict(zip(costs.attributes, np.round(costs.amounts(choice), 6).tolist(), strict=True))
    return {
        "name": costs.architecture(choice).name,
        "method": recipe.method,
        "amounts": amounts,
        "targets": {goal.attribute: goal.target for goal in recipe.targets},
        "relative": costs.relative(choice),
    }


def _json(values: Any) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()
