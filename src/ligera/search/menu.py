"""The parts of a search space: the menu of one stage, and neck and heads. No torch here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ligera.errors import ModelError, nearest
from ligera.models.names import parse
from ligera.models.names import space as every_block
from ligera.models.specs import Activation
from ligera.search.architecture import LETTERS
from ligera.typed_yaml import Frozen

__all__ = ["Channels", "Neck", "Stage"]

Channels = Annotated[int, Field(ge=1, le=16_384)]
Slot = Annotated[tuple[str, ...], Field(min_length=1, max_length=len(LETTERS))]


class Stage(Frozen):
    """``channels`` to choose from and the candidates of each slot; the first slot carries stride and channel change."""

    channels: Annotated[tuple[Channels, ...], Field(min_length=1, max_length=64)]
    slots: Annotated[tuple[Slot, ...], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _is_sound(self) -> Stage:
        if list(self.channels) != sorted(set(self.channels)):
            raise ValueError(f"channels: expected rising numbers, got {list(self.channels)}")
        for number, slot in enumerate(self.slots, 1):
            if len(set(slot)) < len(slot):
                raise ValueError(f"slots: slot {number} has a block more than once")
            for name in slot:
                self._check(name, number == 1)
        return self

    def _check(self, name: str, first: bool) -> None:
        if first and name == "Zero":
            raise ValueError("slots: the first slot of a stage cannot be left out, so Zero is no candidate there")
        known = sorted({str(block).removeprefix("S_").removesuffix("_64") for block in every_block(64)})
        if name not in known:
            raise ValueError(f"slots: {name[:60]!r} is no block name without S_ and channels{nearest(name, known)}")
        for channels in self.channels:
            try:
                block = parse(f"{name}_{channels}")
            except ModelError as error:
                raise ValueError(f"slots: {error}") from None
            if first and block.attention:
                raise ValueError(f"slots: {name}: SE and eSE need as many channels in as out, so not in a first slot")


class Neck(Frozen):
    """Pyramid, context and heads, as ``DetectorSpec`` has them; ``prior_sizes`` in px, one group for each level."""

    stages: tuple[int, ...] = (2, 3, 4)
    channels: Channels | tuple[Channels, ...] = 64
    context: Literal["ssh", "conv", "none"] = "ssh"
    prior_sizes: tuple[tuple[float, ...], ...] = ((16, 32), (64, 128), (256, 512))
    score_channels: Literal[1, 2] = 2
    activation: Activation = "leaky_relu"

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return (self.channels,) * len(self.stages) if isinstance(self.channels, int) else self.channels
