"""One measurable piece of a detector: what a row of a latency table is about. No torch here.

A detector's cost is the sum over its entries: the stem, one entry for each block that is not Zero, the last 1x1
convolution where there is one, one lateral convolution for each pyramid level, and the rest of neck and heads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ligera.models.names import BlockSpec, parse
from ligera.models.specs import Activation

if TYPE_CHECKING:
    from ligera.search.space import Space

__all__ = ["SEED_CHANNELS", "Entry", "Frame", "MapShape", "Part", "Shortcut"]

# Channels of the single cell that feeds a frame (see ``pieces``).
SEED_CHANNELS = 8

Part = Literal["stem", "block", "last", "lateral", "neck"]
Shortcut = Literal["None", "Identity", "1x1_Conv", "1x1_Conv_Pool"]


@dataclass(frozen=True, slots=True)
class MapShape:
    """A map between two entries, sides in px."""

    batch: int
    channels: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What an entry that reads ``maps`` is measured in (see ``pieces``)."""

    maps: tuple[MapShape, ...]

    @property
    def key(self) -> str:
        """``frame_1x16x80x80``, with ``-`` between several maps."""
        return "frame_" + "-".join(f"{m.batch}x{m.channels}x{m.height}x{m.width}" for m in self.maps)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Of the batch that its graph takes: single cells."""
        return (self.maps[0].batch, SEED_CHANNELS, 1, 1)


@dataclass(frozen=True, slots=True)
class Entry:
    """A piece and the map that it reads: ``(batch, channels_in, height, width)``, sides in px.

    ``name`` is the paper's block name without its input for a block (``S_3x3_KKConv_32``) and a word with its widths
    for the other parts (``stem-8``, ``lateral_16``). ``stage`` is 0 for the stem, 1 to 4 for blocks, 4 for the
    last convolution, the stage that a lateral reads, 5 for the neck. ``first`` marks the first block of a stage.
    """

    part: Part
    name: str
    stage: int
    channels_in: int
    channels_out: int
    height: int
    width: int
    stride: int = 1
    batch: int = 1
    activation: Activation = "relu"
    shortcut: Shortcut = "None"
    first: bool = field(default=False, compare=False)

    @property
    def key(self) -> str:
        """What a table files it under: ``S_3x3_KKConv_32_16x80x80+relu+1x1_Conv_Pool``, ``+b8`` for a batch of 8."""
        text = f"{self.name}_{self.channels_in}x{self.height}x{self.width}+{self.activation}"
        if self.shortcut != "None":
            text += f"+{self.shortcut}"
        return text if self.batch == 1 else f"{text}+b{self.batch}"

    @property
    def group(self) -> str:
        """Where it stands, for a table's constants: ``stage1`` to ``stage4`` for blocks, else ``net``."""
        return f"stage{self.stage}" if self.part == "block" else "net"

    @property
    def block(self) -> BlockSpec:
        """The block it is; ``ValueError`` for the other parts."""
        if self.part != "block":
            raise ValueError(f"{self.key}: is a {self.part}, not a block")
        return parse(self.name)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """Of the batch that its exported graph takes: the picture for the stem, one cell for all that has a frame."""
        if self.part == "stem":
            return (self.batch, 3, self.height, self.width)
        return (self.batch, SEED_CHANNELS, 1, 1)

    def reads(self, space: Space) -> tuple[MapShape, ...]:
        """The maps it reads: one for each level, finest first, for the neck, else a single one."""
        if self.part != "neck":
            return (MapShape(self.batch, self.channels_in, self.height, self.width),)
        widths = space.neck.widths
        return tuple(MapShape(self.batch, c, self.height >> i, self.width >> i) for i, c in enumerate(widths))

    def frame(self, space: Space) -> Frame | None:
        """What its graph has around it; ``None`` for the stem, which reads a picture."""
        return None if self.part == "stem" else Frame(self.reads(space))
