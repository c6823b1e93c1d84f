"""A search space: which detectors there are to choose from, as a frozen record read from YAML. No torch here.

Stem, pyramid, context and heads are fixed; each of four stages has a menu of channels and slots with candidate blocks
by the paper's names, without channels and ``S_``, as both follow from the place. ``Zero`` among the
candidates of a slot lets it be left out. Source: paper C, 3.3 and 3.6.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from ligera.errors import ModelError, RecipeError
from ligera.models.names import BlockSpec, expand, parse
from ligera.models.specs import STAGE_STRIDES, Activation, BackboneSpec, DetectorSpec
from ligera.records import PriorSpec
from ligera.search import inventory
from ligera.search.architecture import Architecture, chosen, named
from ligera.search.entry import Entry, Frame
from ligera.search.menu import Channels, Neck, Stage
from ligera.typed_yaml import Frozen, explain, is_mapping, read_yaml

__all__ = ["Architecture", "Entry", "Neck", "Space", "Stage", "parse_space", "read_space"]


class Space(Frozen):
    """All there is to choose from. ``side_px`` are the sides of square input pictures that a table has rows for.

    ``most_jump`` is how many times as many channels as the stage before a stage may have (the paper's filter for
    unlikely combinations); nets beyond it are neither sampled nor measured.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,39}$")]
    side_px: Annotated[tuple[Annotated[int, Field(ge=32, le=4096, multiple_of=32)], ...], Field(min_length=1)]
    batch: int = Field(1, ge=1, le=4096)
    first_channels: Channels = 8
    prestage: tuple[str, ...] = ()
    maxpool: bool = False
    shortcut: Literal["none", "conv"] = "none"
    identity: bool = True
    early: Activation = "relu"
    late: Activation = "relu"
    last_channels: Channels | None = None
    most_jump: float = Field(4.0, ge=1, le=64)
    stages: Annotated[tuple[Stage, ...], Field(min_length=4, max_length=4)]
    neck: Neck = Neck()

    @model_validator(mode="before")
    @classmethod
    def _one_side_is_a_list_of_one(cls, values: object) -> object:
        if isinstance(values, dict) and isinstance(values.get("side_px"), int):
            return {**values, "side_px": [values["side_px"]]}
        return values

    @model_validator(mode="after")
    def _makes_detectors(self) -> Space:
        if len(set(self.side_px)) < len(self.side_px):
            raise ValueError(f"side_px: expected different sides, got {list(self.side_px)}")
        try:
            widths = next(self.widths(), None)
            if widths is None:
                raise ValueError(
                    f"most_jump: with {self.most_jump:g} no menu of channels leads from the stem to stage 4"
                )
            self.choose(widths, [[0] * len(stage.slots) for stage in self.stages]).spec()
        except ModelError as error:
            raise ValueError(str(error)) from None
        for number in (3, 4):
            if any(name.startswith(("SE_", "eSE_")) for slot in self.stages[number - 1].slots for name in slot):
                raise ValueError(f"stage {number}: SE and eSE belong to stages 1 and 2")
        return self

    # what it is made of

    def side(self, side_px: int | None = None) -> int:
        """``side_px`` where the space has it, its first side for ``None``; ``RecipeError`` for any other."""
        if side_px is not None and side_px not in self.side_px:
            raise RecipeError(f"space {self.name}: has sides {', '.join(map(str, self.side_px))} px, not {side_px}")
        return side_px or self.side_px[0]

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what its entries are: two spaces of one digest share their tables."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    def widths(self) -> Iterator[tuple[int, ...]]:
        """Every allowed choice of the four stages' channels."""
        for channels in product(*(stage.channels for stage in self.stages)):
            if self.jump(channels) is None:
                yield channels

    def jump(self, channels: Sequence[int]) -> str | None:
        """Why the stages may not have these channels, or ``None``."""
        before = self.stem_channels
        for number, width in enumerate(channels, 1):
            if not self.follows(before, width):
                return f"stage {number}: {before} to {width} channels is more than {self.most_jump:g} times"
            before = width
        return None

    def follows(self, before: int, width: int) -> bool:
        """Whether a stage may widen ``before`` channels to ``width``."""
        return width <= before * self.most_jump

    @property
    def stem_channels(self) -> int:
        """Channels that enter the first stage."""
        blocks = expand(self.prestage)
        return blocks[-1].channels_out if blocks else self.first_channels

    def count(self) -> int:
        """How many architectures there are."""
        slots = math.prod(len(slot) for stage in self.stages for slot in stage.slots)
        return slots * sum(1 for _ in self.widths())

    def block(self, stage: int, slot: int, choice: int, channels: int) -> BlockSpec:
        """Candidate ``choice`` of ``slot`` (both from 0) in ``stage`` (from 1) with ``channels`` out."""
        name = self.stages[stage - 1].slots[slot][choice]
        stride = 2 if slot == 0 and not (stage == 1 and self.maxpool) else 1
        return parse(f"{'S_' if stride == 2 else ''}{name}_{channels}")

    def detector(self, stages: tuple[tuple[str, ...], ...]) -> DetectorSpec:
        """The detector with these blocks, by name, in its four stages."""
        backbone = BackboneSpec(
            self.first_channels,
            stages,
            prestage=self.prestage,
            maxpool=self.maxpool,
            shortcut=self.shortcut,
            identity=self.identity,
            early=self.early,
            late=self.late,
            last_channels=self.last_channels,
        )
        neck = self.neck
        strides = tuple(STAGE_STRIDES[stage - 1] for stage in neck.stages if 1 <= stage <= 4)
        return DetectorSpec(
            backbone,
            pyramid_stages=neck.stages,
            pyramid_channels=neck.channels,
            context=neck.context,
            priors=PriorSpec(strides, neck.prior_sizes),
            score_channels=neck.score_channels,
            activation=neck.activation,
        )

    # architectures

    def choose(self, channels: Sequence[int], choices: Sequence[Sequence[int]]) -> Architecture:
        """The architecture with these channels and, slot by slot, candidates; ``RecipeError`` where there is none."""
        return chosen(self, channels, choices)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """One at random: channels uniform over all allowed combinations, then each slot uniform over its candidates."""
        widths = list(self.widths())
        channels = widths[int(rng.integers(len(widths)))]
        return self.choose(channels, [[int(rng.integers(len(slot))) for slot in stage.slots] for stage in self.stages])

    def architecture(self, name: str) -> Architecture:
        """The architecture that prints as ``name``; ``RecipeError`` where there is none."""
        return named(self, name)

    def entries(self) -> tuple[Entry, ...]:
        """Every piece that any of its architectures has, once each, in a fixed order, for all its sides."""
        return inventory.every_entry(self)

    def frames(self) -> tuple[Frame, ...]:
        """Every frame that some entry is measured in (see ``pieces``), once each."""
        frames = (entry.frame(self) for entry in self.entries())
        return tuple(dict.fromkeys(frame for frame in frames if frame is not None))

    def left_out(self) -> dict[str, str]:
        """Blocks that ``most_jump`` keeps out of ``entries``, by their key, with the reason."""
        return inventory.left_out(self)


def read_space(path: Path) -> Space:
    """The space in a YAML file; ``RecipeError`` names the file, the key and what to do, in one line."""
    values = read_yaml(path, "a search space")
    if not is_mapping(values):
        raise RecipeError(f"{path}: expected 'key: value' lines of a search space; see recipes/spaces/tiny.yaml")
    return parse_space(values, str(path))


def parse_space(values: Mapping[str, Any], where: str) -> Space:
    """A dictionary, as YAML or JSON give it -> the space; ``RecipeError`` names the first thing wrong."""
    try:
        return Space.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(dict(error.errors(include_url=False)[0]), Space)}") from None
