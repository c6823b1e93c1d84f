"""The pieces that a space's detectors are made of: which map each reads, with which activation and shortcut.

Follows ``models.backbones.staged`` and ``models.pyramid``; a test builds both and compares. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from ligera.models.names import BlockSpec
from ligera.models.specs import STAGE_STRIDES
from ligera.search.entry import Entry, Shortcut

if TYPE_CHECKING:
    from ligera.search.space import Space

__all__ = ["entries_of", "every_entry", "left_out"]


def entries_of(
    space: Space, channels: Sequence[int], stages: Sequence[Sequence[BlockSpec]], side_px: int
) -> tuple[Entry, ...]:
    """The pieces of one net with these blocks in its stages, from the stem on; what it has twice is there twice."""
    found = [_stem(space, side_px)]
    before = space.stem_channels
    for number, blocks in enumerate(stages, 1):
        for place, block in enumerate(blocks):
            found.append(_block(space, number, place == 0, block, before, side_px))
            before = block.channels_out
    if space.last_channels:
        found.append(_last(space, channels[3], side_px))
    found += [_lateral(space, level, _leaving(space, stage, channels), side_px) for level, stage in _levels(space)]
    return (*found, _neck(space, side_px))


def every_entry(space: Space) -> tuple[Entry, ...]:
    """Each piece of any net of ``space`` once, for every side it has."""
    found: dict[Entry, None] = {}
    for side_px in space.side_px:
        found[_stem(space, side_px)] = None
        found |= dict.fromkeys(entry for entry in _blocks(space, side_px) if _allowed(space, entry))
        if space.last_channels:
            found |= dict.fromkeys(_last(space, width, side_px) for width in space.stages[3].channels)
        for level, stage in _levels(space):
            menu = space.stages[stage - 1].channels
            widths = (space.last_channels,) if stage == 4 and space.last_channels else menu
            found |= dict.fromkeys(_lateral(space, level, width, side_px) for width in widths)
        found[_neck(space, side_px)] = None
    return tuple(found)


def left_out(space: Space) -> dict[str, str]:
    """Key and reason of every first block that widens its input by more than ``most_jump`` allows."""
    return {
        entry.key: f"{entry.channels_in} to {entry.channels_out} channels is more than {space.most_jump:g} times"
        for side_px in space.side_px
        for entry in _blocks(space, side_px)
        if not _allowed(space, entry)
    }


def _allowed(space: Space, entry: Entry) -> bool:
    return not entry.first or space.follows(entry.channels_in, entry.channels_out)


def _blocks(space: Space, side_px: int) -> Iterator[Entry]:
    before: tuple[int, ...] = (space.stem_channels,)
    for number, stage in enumerate(space.stages, 1):
        for slot, candidates in enumerate(stage.slots):
            for width, choice in product(stage.channels, range(len(candidates))):
                block = space.block(number, slot, choice, width)
                if block.kind == "Zero":
                    continue
                for channels_in in before if slot == 0 else (width,):
                    yield _block(space, number, slot == 0, block, channels_in, side_px)
        before = stage.channels


def _block(space: Space, stage: int, first: bool, block: BlockSpec, channels_in: int, side_px: int) -> Entry:
    side = side_px // STAGE_STRIDES[stage - 1] * block.stride
    shortcut: Shortcut = "None"
    if first and space.shortcut == "conv":
        shortcut = "1x1_Conv_Pool" if block.stride == 2 else "1x1_Conv"
    elif not first and space.identity:
        shortcut = "Identity"
    act = space.early if stage < 3 else space.late
    return Entry(
        *("block", str(block), stage, channels_in, block.channels_out, side, side),
        stride=block.stride,
        batch=space.batch,
        activation=act,
        shortcut=shortcut,
        first=first,
    )


def _stem(space: Space, side_px: int) -> Entry:
    name = "-".join(("stem", str(space.first_channels), *space.prestage, *(("maxpool",) if space.maxpool else ())))
    stride = 4 if space.maxpool else 2
    sizes = (0, 3, space.stem_channels, side_px, side_px)
    return Entry("stem", name, *sizes, stride=stride, batch=space.batch, activation=space.early)


def _last(space: Space, width: int, side_px: int) -> Entry:
    side, out = side_px // STAGE_STRIDES[3], space.last_channels or width
    return Entry("last", f"last_{out}", 4, width, out, side, side, batch=space.batch, activation=space.late)


def _levels(space: Space) -> Iterator[tuple[int, int]]:
    """Number of each level, finest 0, and the stage that it reads."""
    return enumerate(space.neck.stages)


def _leaving(space: Space, stage: int, channels: Sequence[int]) -> int:
    return space.last_channels if stage == 4 and space.last_channels else channels[stage - 1]


def _lateral(space: Space, level: int, width: int, side_px: int) -> Entry:
    stage = space.neck.stages[level]
    side, out = side_px // STAGE_STRIDES[stage - 1], space.neck.widths[level]
    act = space.neck.activation
    return Entry("lateral", f"lateral_{out}", stage, width, out, side, side, batch=space.batch, activation=act)


def _neck(space: Space, side_px: int) -> Entry:
    """All of pyramid, context and heads but the laterals: it reads one map for each level, the finest of ``height``."""
    neck = space.neck
    side = side_px // STAGE_STRIDES[neck.stages[0] - 1]
    priors = ".".join(str(len(sizes)) for sizes in neck.prior_sizes)
    name = f"neck_{neck.context}_{'-'.join(map(str, neck.widths))}_{priors}x{14 + neck.score_channels}"
    act = neck.activation
    return Entry("neck", name, 5, neck.widths[0], neck.widths[0], side, side, batch=space.batch, activation=act)
