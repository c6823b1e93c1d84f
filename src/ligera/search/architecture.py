"""One detector out of a space: its channels and blocks, its name, its spec and the pieces it costs. No torch here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ligera.errors import RecipeError
from ligera.models.names import BlockSpec
from ligera.models.specs import DetectorSpec
from ligera.search import inventory
from ligera.search.entry import Entry

if TYPE_CHECKING:
    from ligera.search.space import Space

__all__ = ["LETTERS", "Architecture", "chosen", "named"]

ZERO_LETTER = "0"
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letter(candidates: tuple[str, ...], place: int) -> str:
    """How a name writes candidate ``place`` of a slot: ``0`` for Zero, a letter for any other."""
    return ZERO_LETTER if candidates[place] == "Zero" else LETTERS[place]


def place(candidates: tuple[str, ...], sign: str) -> int | None:
    """The candidate that ``sign`` stands for, ``None`` where there is none."""
    return next((i for i in range(len(candidates)) if letter(candidates, i) == sign), None)


@dataclass(frozen=True, slots=True)
class Architecture:
    """``channels`` of each stage, and for each slot of each stage the place of its block among the candidates.

    Made by ``Space.sample``, ``Space.architecture`` (from a name) and ``Space.choose`` (from choices), which check it.
    """

    space: Space
    channels: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """``tiny-16a-32b0-48ac-64a``: the space, then for each stage its channels and the letters of its blocks."""
        parts = [self.space.name]
        for stage, channels, chosen in zip(self.space.stages, self.channels, self.choices, strict=True):
            slots = zip(stage.slots, chosen, strict=True)
            parts.append(f"{channels}{''.join(letter(candidates, i) for candidates, i in slots)}")
        return "-".join(parts)

    def blocks(self) -> tuple[tuple[BlockSpec, ...], ...]:
        """Blocks of the four stages, Zero left out."""
        stages = []
        for number, channels in enumerate(self.channels, 1):
            chosen = enumerate(self.choices[number - 1])
            blocks = (self.space.block(number, slot, i, channels) for slot, i in chosen)
            stages.append(tuple(block for block in blocks if block.kind != "Zero"))
        return tuple(stages)

    def spec(self) -> DetectorSpec:
        """What ``models.catalogue.build`` makes a network of."""
        return self.space.detector(tuple(tuple(str(block) for block in blocks) for blocks in self.blocks()))

    def entries(self, side_px: int | None = None) -> tuple[Entry, ...]:
        """Its pieces, from the stem on, for square pictures of ``side_px`` (the space's first side where not given).

        A piece that it has twice is there twice.
        """
        return inventory.entries_of(self.space, self.channels, self.blocks(), self.space.side(side_px))

    def __str__(self) -> str:
        return self.name


def chosen(space: Space, channels: Sequence[int], choices: Sequence[Sequence[int]]) -> Architecture:
    """The architecture with these channels and candidates; ``RecipeError`` where the space has none such."""
    picked = Architecture(space, tuple(channels), tuple(tuple(chosen) for chosen in choices))
    if len(picked.channels) != 4 or len(picked.choices) != 4:
        raise RecipeError(f"space {space.name}: expected channels and choices of four stages")
    for number, (stage, width, chosen) in enumerate(zip(space.stages, channels, choices, strict=True), 1):
        if width not in stage.channels:
            menu = ", ".join(map(str, stage.channels))
            raise RecipeError(f"space {space.name}: stage {number} has channels {menu}, not {width}")
        if len(chosen) != len(stage.slots) or any(
            not 0 <= i < len(slot) for i, slot in zip(chosen, stage.slots, strict=False)
        ):
            raise RecipeError(f"space {space.name}: stage {number}: expected one candidate of each slot")
    problem = space.jump(channels)
    if problem:
        raise RecipeError(f"space {space.name}: {problem}")
    return picked


def named(space: Space, name: str) -> Architecture:
    """The architecture that prints as ``name``; ``RecipeError`` where there is none."""
    start = f"{space.name}-"
    parts = name.removeprefix(start).split("-")
    shown = f"{name[:80]!r}: no architecture of space {space.name}"
    if not name.startswith(start) or len(parts) != 4:
        raise RecipeError(f"{shown}; expected a name such as {space.sample(np.random.default_rng(0)).name}")
    channels, choices = [], []
    for number, (text, stage) in enumerate(zip(parts, space.stages, strict=True), 1):
        match = re.fullmatch(r"([1-9][0-9]{0,4})([a-z][a-z0]*)", text, re.ASCII)
        signs = match[2] if match else ""
        places = [place(slot, sign) for slot, sign in zip(stage.slots, signs, strict=False)]
        if match is None or len(signs) != len(stage.slots) or None in places:
            raise RecipeError(f"{shown} (stage {number}: {text!r})")
        channels.append(int(match[1]))
        choices.append([i for i in places if i is not None])
    return chosen(space, channels, choices)
