"""What every choice of a space costs, as arrays: the sums that search makes a million times. numpy only.

``K`` is the number of allowed combinations of channels, ``A`` that of attributes (latency, energy ...). A net's amounts
``(A,)`` are ``fixed[k]`` plus, slot by slot, ``slots[i][before, own, choice]``; ``relative`` makes one number of them,
which is 1 where the net is on target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ligera.errors import RecipeError
from ligera.search.architecture import Architecture
from ligera.search.entry import Entry
from ligera.search.space import Space
from ligera.search.table import LatencyTable
from ligera.typed_yaml import Frozen

__all__ = ["Choice", "Costs", "Target", "make_costs", "slot_entries"]

MOST_COMBINATIONS = 20_000
Choice = tuple[int, tuple[int, ...]]
"""A combination of channels (0 to K - 1) and the candidate of each slot, stage by stage."""


class Target(Frozen):
    """How much of an ``attribute`` of the table a net shall cost, and what it weighs beside other targets."""

    attribute: str
    target: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """``combinations (K, 4)``: places in the menus of channels; ``fixed (K, A)``: stem, laterals, last and neck;
    ``slots``: an array ``(before, own, candidates, A)`` for each slot, ``before`` being 1 but for first slots, whose
    cost depends on the channels they read; ``stages``: the stage (from 0) of each slot; ``factors (A,)``: weight over
    target of each attribute, so that ``amounts @ factors`` is 1 on target.
    """

    space: Space
    attributes: tuple[str, ...]
    factors: np.ndarray
    combinations: np.ndarray
    fixed: np.ndarray
    slots: tuple[np.ndarray, ...]
    stages: tuple[int, ...]

    def places(self, slot: int) -> tuple[np.ndarray, np.ndarray]:
        """For each combination ``(K,)``: where it stands on the first and second axis of ``slots[slot]``."""
        stage = self.stages[slot]
        own = self.combinations[:, stage]
        reads = self.slots[slot].shape[0] > 1
        return (self.combinations[:, stage - 1] if reads else np.zeros_like(own)), own

    def amounts(self, choice: Choice) -> np.ndarray:
        """``(A,)``: what the net of ``choice`` costs."""
        k, picked = choice
        total = self.fixed[k].copy()
        for slot, place in enumerate(picked):
            before, own = self.places(slot)
            total += self.slots[slot][before[k], own[k], place]
        return total

    def relative(self, choice: Choice) -> float:
        """The cost over its target; for several attributes their weighted mean."""
        return float(self.amounts(choice) @ self.factors)

    def architecture(self, choice: Choice) -> Architecture:
        """The net of ``choice``."""
        k, picked = choice
        stages = self.space.stages
        channels = [stage.channels[place] for stage, place in zip(stages, self.combinations[k], strict=True)]
        rest = iter(picked)
        return self.space.choose(channels, [[next(rest) for _ in stage.slots] for stage in stages])

    def choice(self, architecture: Architecture) -> Choice:
        """The choice that an architecture of the space is."""
        menus = zip(self.space.stages, architecture.channels, strict=True)
        places = np.array([stage.channels.index(width) for stage, width in menus])
        k = int(np.flatnonzero((self.combinations == places).all(axis=1))[0])
        return k, tuple(place for chosen in architecture.choices for place in chosen)

    def by_combination(self, slot: int) -> np.ndarray:
        """``(K, candidates)``: the relative cost of each candidate under each combination of channels."""
        return (self.slots[slot] @ self.factors)[self.places(slot)]

    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest relative cost of any net."""
        low = high = self.fixed @ self.factors
        for slot in range(len(self.slots)):
            own = self.by_combination(slot)
            low, high = low + own.min(axis=1), high + own.max(axis=1)
        return float(low.min()), float(high.max())


def make_costs(space: Space, table: LatencyTable, targets: Sequence[Target], side_px: int | None = None) -> Costs:
    """The costs of ``space`` by ``table``, for pictures of ``side_px`` (the space's first side where not given).

    Raises ``RecipeError`` for a target that is none, ``DataError`` for an entry or attribute that the table lacks.
    """
    combinations = np.array(
        [
            [stage.channels.index(width) for stage, width in zip(space.stages, row, strict=True)]
            for row in space.widths()
        ]
    )
    if len(combinations) > MOST_COMBINATIONS:
        raise RecipeError(
            f"space {space.name}: {len(combinations):,} combinations of channels, at most {MOST_COMBINATIONS:,} can be "
            "searched; shorten the menus, for example with channels in the recipe"
        )
    side_px, attributes = space.side(side_px), tuple(target.attribute for target in targets)
    total_weight = sum(target.weight for target in targets)

    def amounts(entry: Entry) -> np.ndarray:
        skipped = entry.key not in table.rows and entry.key in table.skipped
        if skipped and attributes == ("latency_ms",):
            # left unmeasured because it is slower than this: no net near the target can afford it
            return np.array([table.settings.threshold_ms])
        return np.array([table.value(entry, name) for name in attributes])  # type: ignore[arg-type]

    known: dict[str, np.ndarray] = {}

    def cost(entry: Entry | None) -> np.ndarray:
        if entry is None:
            return np.zeros(len(attributes))
        if entry.key + entry.part + entry.group not in known:
            known[entry.key + entry.part + entry.group] = amounts(entry)
        return known[entry.key + entry.part + entry.group]

    slots, stages = [], []
    for (stage, slot), grid in _grids(space, side_px).items():
        befores, owns = (1 + max(place[axis] for place in grid) for axis in (0, 1))
        array = np.full((befores, owns, len(space.stages[stage].slots[slot]), len(attributes)), np.nan)
        for place, entry in grid.items():
            array[place] = cost(entry)
        slots.append(array)
        stages.append(stage)
    fixed = np.array([sum(cost(entry) for entry in _fixed(space, row, side_px)) for row in space.widths()])
    factors = np.array([target.weight / total_weight / target.target for target in targets])
    return Costs(space, attributes, factors, combinations, fixed, tuple(slots), tuple(stages))


def slot_entries(space: Space, channels: Sequence[int], side_px: int) -> Iterator[tuple[int, int, int, Entry | None]]:
    """Stage, slot and candidate (all from 0) with its piece, ``None`` for Zero, in nets with these ``channels``."""
    for turn in range(max(len(slot) for stage in space.stages for slot in stage.slots)):
        picked = [[min(turn, len(slot) - 1) for slot in stage.slots] for stage in space.stages]
        blocks = iter(e for e in space.choose(channels, picked).entries(side_px) if e.part == "block")
        for stage, places in enumerate(picked):
            for slot, place in enumerate(places):
                zero = space.stages[stage].slots[slot][place] == "Zero"
                entry = None if zero else next(blocks)
                if place == turn:
                    yield stage, slot, place, entry


def _grids(space: Space, side_px: int) -> dict[tuple[int, int], dict[tuple[int, int, int], Entry | None]]:
    """For each stage and slot: (place of the channels read, of its own channels, candidate) -> piece."""
    found: dict[tuple[int, int], dict[tuple[int, int, int], Entry | None]] = {
        (stage, slot): {} for stage, menu in enumerate(space.stages) for slot in range(len(menu.slots))
    }
    for channels in space.widths():
        places = [menu.channels.index(width) for menu, width in zip(space.stages, channels, strict=True)]
        if all((places[s - 1] if s else 0, places[s], 0) in found[s, 0] for s in range(4)):
            continue
        for stage, slot, candidate, entry in slot_entries(space, channels, side_px):
            before = places[stage - 1] if stage and slot == 0 else 0
            found[stage, slot][before, places[stage], candidate] = entry
    return found


def _fixed(space: Space, channels: Sequence[int], side_px: int) -> list[Entry]:
    net = space.choose(channels, [[0] * len(stage.slots) for stage in space.stages])
    return [entry for entry in net.entries(side_px) if entry.part != "block"]
