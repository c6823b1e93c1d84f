"""Search without gates: candidates at the target's cost, each trained shortly and judged on held-out pictures.

Random search halves its candidates successively: the best third of a rung is trained three times as long in the next.
Evolution (Real et al. 2019) changes the best of a few, keeps the young. Both are what gates must beat at equal time.
Finished candidates are read back, so a search that was killed goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.errors import DataError, RecipeError
from ligera.files import write_bytes
from ligera.meter import read_cost
from ligera.search.costs import Choice, Costs
from ligera.search.picking import draw_within
from ligera.search.recipe import SearchRecipe
from ligera.train.run import resume, start

__all__ = ["Judged", "evolution", "random_search"]

FACTOR = 3
FEWEST = 3
POPULATION, TOURNAMENT = 8, 3
Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate trained in ``rung`` (from 0): its ``score`` on held-out pictures, 0 to 1, and its seconds."""

    name: str
    rung: int
    score: float
    seconds: float
    choice: Choice


class Trials:
    """The candidates trained so far in ``folder``, and how to train another."""

    def __init__(self, recipe: SearchRecipe, costs: Costs, folder: Path, tell: Listener) -> None:
        self.recipe, self.costs, self.folder, self._tell = recipe, costs, folder, tell
        self.judged: list[Judged] = []

    def judge(self, choice: Choice, rung: int = 0) -> Judged:
        """Train the net of ``choice`` for this rung's epochs, or read back that it was."""
        net = self.costs.architecture(choice)
        run = f"candidate-{len(self.judged):04d}"
        recipe = self.recipe.training(
            name=run,
            model=net.name,
            architecture=net.spec(),
            epochs=self.recipe.trial_epochs * FACTOR**rung,
            evaluate_every=10**6,
        )
        place = self.folder / "train" / run
        if not (place / "result.json").is_file():
            if (place / "recipe.yaml").is_file():
                resume(place, self._tell)
            else:
                if place.is_dir() and not any(place.iterdir()):
                    place.rmdir()  # of a search that was killed between making it and writing into it
                start(recipe, self.folder, self._tell)
        done = Judged(net.name, rung, _score(place), read_cost(place).figures["wall_s"].value or 0.0, choice)
        self.judged.append(done)
        self._tell({"candidate": len(self.judged), "name": done.name, "rung": rung, "score": done.score})
        lines = "".join(json.dumps(asdict(one)) + "\n" for one in self.judged)
        write_bytes(self.folder / "candidates.jsonl", lines.encode())
        return done

    @property
    def spent_s(self) -> float:
        """Seconds of all trainings."""
        return sum(one.seconds for one in self.judged)

    def more(self, count: int, share: float) -> bool:
        """Whether there is time or number left for another of ``count`` candidates in this ``share`` of the time."""
        if self.recipe.minutes is None:
            return count < self.recipe.candidates
        return count < FEWEST or self.spent_s < share * self.recipe.minutes * 60


def random_search(recipe: SearchRecipe, costs: Costs, folder: Path, tell: Listener) -> Judged:
    """Successive halving over random nets within ``band`` of the target: the best of the last rung."""
    trials, random = Trials(recipe, costs, folder, tell), np.random.default_rng(recipe.seed)
    rung: list[Judged] = []
    seen: set[Choice] = set()
    while trials.more(len(rung), 1 / recipe.rungs):
        choice = _fresh(lambda: draw_within(costs, 1 - recipe.band, 1 + recipe.band, random), seen)
        if choice is None:
            break
        rung.append(trials.judge(choice))
    for number in range(1, recipe.rungs):
        if len(rung) == 1:
            break
        best = sorted(rung, key=lambda one: -one.score)[: max(1, len(rung) // FACTOR)]
        rung = [trials.judge(one.choice, number) for one in best]
    return max(rung, key=lambda one: one.score)


def evolution(recipe: SearchRecipe, costs: Costs, folder: Path, tell: Listener) -> Judged:
    """Aging evolution: a change of the best of three takes the place of the oldest; the best that ever was."""
    trials, random = Trials(recipe, costs, folder, tell), np.random.default_rng(recipe.seed)
    alive: list[Judged] = []
    seen: set[Choice] = set()
    while trials.more(len(trials.judged), 1.0):
        choice = _fresh(lambda: _next(alive[-POPULATION:], recipe, costs, random), seen)
        if choice is None:
            break
        alive.append(trials.judge(choice))
    return max(trials.judged, key=lambda one: one.score)


def _next(alive: list[Judged], recipe: SearchRecipe, costs: Costs, random: np.random.Generator) -> Choice:
    """A random net while the population grows, then a change of the best of a few."""
    if len(alive) < POPULATION:
        return draw_within(costs, 1 - recipe.band, 1 + recipe.band, random)
    few = [alive[i] for i in random.choice(len(alive), size=TOURNAMENT, replace=False)]
    return _changed(max(few, key=lambda one: one.score).choice, recipe, costs, random)


def _fresh(make: Callable[[], Choice], seen: set[Choice], tries: int = 100) -> Choice | None:
    """A choice not seen yet, ``None`` where ``tries`` bring none: a small space has few nets at one cost."""
    for _ in range(tries):
        choice = make()
        if choice not in seen:
            seen.add(choice)
            return choice
    return None


def _changed(parent: Choice, recipe: SearchRecipe, costs: Costs, random: np.random.Generator) -> Choice:
    """``parent`` with one to three of its choices others, still within the band; a random net where that fails."""
    for _ in range(1000):
        k, picked = parent[0], list(parent[1])
        for _ in range(int(random.integers(1, 4))):
            gate = int(random.integers(-1, len(picked)))
            if gate < 0:
                k = int(random.integers(len(costs.combinations)))
            else:
                picked[gate] = int(random.integers(costs.slots[gate].shape[2]))
        child = k, tuple(picked)
        if child != parent and abs(costs.relative(child) - 1) <= recipe.band:
            return child
    return draw_within(costs, 1 - recipe.band, 1 + recipe.band, random)


def _score(place: Path) -> float:
    try:
        return float(json.loads((place / "result.json").read_text())["metrics"]["ap50"])
    except (OSError, ValueError, KeyError, TypeError):
        if (place / "result.json").is_file():
            raise RecipeError("held_out: no score, as no held-out picture has a face; make it larger") from None
        raise DataError(f"{place}: not a finished training run; remove it and resume the search") from None
