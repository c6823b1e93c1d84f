"""Block names that carry everything, and the record they stand for (paper C, 3.3.1.4 and table 18).

A name reads ``[S]_[SE]_kxk_<Block>[r]_[Mid]_<channels out>[_<channels in>x<height>x<width>]``: ``S`` is stride 2,
``SE`` or ``eSE`` the attention, ``r`` the expansion (MBConv 3, 4, 6) or compression (BottleNeckConv 4).
``Zero_<channels>`` is the block that does nothing. ``parse(str(spec)) == spec`` for every legal block. No torch here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from ligera.errors import ModelError, nearest

__all__ = ["KINDS", "BlockSpec", "expand", "parse", "space"]

Kind = Literal["MBV1", "MBV2", "BL", "KK", "DK", "Zero"]
Attention = Literal["SE", "eSE"]

KINDS: tuple[Kind, ...] = get_args(Kind)
KERNELS = {"MBV1": (3, 5), "MBV2": (3, 5), "BL": (3, 5), "KK": (3,), "DK": (3,), "Zero": (1,)}
EXPANSIONS = {"MBV1": (1,), "MBV2": (3, 4, 6), "BL": (4,), "KK": (1,), "DK": (1,), "Zero": (1,)}
WORDS = {"MBV1": "MBV1Conv", "MBV2": "MBConv", "BL": "BottleNeckConv", "KK": "KKConv", "DK": "DKConv"}
NUMBERED = ("MBV2", "BL")

_PATTERN = re.compile(
    r"(?P<stride>S_)?(?:(?P<attention>SE|eSE)_)?(?P<kernel>[1-9]\d?)x(?P=kernel)_"
    r"(?P<word>MBV1Conv|MBConv|BottleNeckConv|KKConv|DKConv)(?P<expansion>[1-9]\d?)?(?P<mid>_Mid)?"
    r"_(?P<out>[1-9]\d{0,5})(?:_(?P<cin>[1-9]\d{0,5})x(?P<height>[1-9]\d{0,5})x(?P<width>[1-9]\d{0,5}))?",
    re.ASCII,
)
_ZERO = re.compile(
    r"Zero_(?P<out>[1-9]\d{0,5})(?:_(?P<cin>[1-9]\d{0,5})x(?P<height>[1-9]\d{0,5})x(?P<width>[1-9]\d{0,5}))?", re.ASCII
)
_TAIL = re.compile(r"_\d+(_\d+x\d+x\d+)?$", re.ASCII)


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One basic block. ``input_size`` is (height, width) px of the map it reads, given together with ``channels_in``.

    ``expansion`` is MBV2's ratio, BL's compression (4), 1 for the others. Raises ``ModelError`` for a block outside the
    family.
    """

    kind: Kind
    channels_out: int
    kernel: int = 3
    expansion: int = 1
    stride: int = 1
    mid: bool = False
    attention: Attention | None = None
    channels_in: int | None = None
    input_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ModelError(f"block of kind {self.kind!r} with {self.channels_out} channels: {problem}")

    def _problem(self) -> str | None:
        """What is outside the family, or ``None``."""
        if self.kind not in KINDS:
            return f"unknown kind; expected one of {', '.join(KINDS)}"
        if self.kernel not in KERNELS[self.kind]:
            return f"expected kernel {' or '.join(map(str, KERNELS[self.kind]))}, got {self.kernel}"
        if self.expansion not in EXPANSIONS[self.kind]:
            return f"expected expansion {' or '.join(map(str, EXPANSIONS[self.kind]))}, got {self.expansion}"
        if self.stride not in (1, 2) or (self.kind == "Zero" and self.stride != 1):
            return f"stride {self.stride} is not possible"
        if self.channels_out < 1 or (self.kind == "BL" and self.channels_out % 4):
            return "BottleNeckConv4 needs channels that 4 divides" if self.kind == "BL" else "expected channels above 0"
        if self.mid and self.kind != "KK":
            return "only KKConv has a Mid form"
        if (self.channels_in is None) != (self.input_size is None):
            return "channels_in and input_size go together"
        return self._attention_problem(self.channels_out if self.channels_in is None else self.channels_in)

    def _attention_problem(self, channels_in: int) -> str | None:
        if self.attention not in (None, "SE", "eSE"):
            return f"expected attention SE, eSE or none, got {self.attention!r}"
        if self.kind == "Zero" and (self.attention or channels_in != self.channels_out):
            return "Zero changes nothing, so it has no attention and as many channels out as in"
        if self.attention is None:
            return None
        if self.mid or (self.kind == "DK" and self.stride == 2):
            return "a block of one convolution takes no SE or eSE"
        if channels_in != self.channels_out:
            return f"SE and eSE need as many channels in as out, got {channels_in} in"
        return None

    def check_input(self, channels_in: int) -> None:
        """Raise ``ModelError`` when this block cannot read a map of ``channels_in`` channels."""
        problem = self._attention_problem(channels_in)
        if problem is None and self.channels_in not in (None, channels_in):
            problem = f"its name says {self.channels_in} channels in"
        if problem:
            raise ModelError(f"block {self} cannot follow {channels_in} channels: {problem}")

    def __str__(self) -> str:
        tail = f"_{self.channels_out}"
        if self.input_size is not None:
            tail += f"_{self.channels_in}x{self.input_size[0]}x{self.input_size[1]}"
        if self.kind == "Zero":
            return "Zero" + tail
        parts = ["S"] if self.stride == 2 else []
        parts += [self.attention] if self.attention else []
        expansion = str(self.expansion) if self.kind in NUMBERED else ""
        parts += [f"{self.kernel}x{self.kernel}", WORDS[self.kind] + expansion]
        parts += ["Mid"] if self.mid else []
        return "_".join(parts) + tail


def space(channels: int) -> Iterator[BlockSpec]:
    """Every block of the family with ``channels`` out, its input left open."""
    for kind in KINDS:
        if kind == "BL" and channels % 4:
            continue
        strides = (1,) if kind == "Zero" else (1, 2)
        mids = (False, True) if kind == "KK" else (False,)
        for kernel, r, stride, mid in product(KERNELS[kind], EXPANSIONS[kind], strides, mids):
            single = kind == "Zero" or mid or (kind == "DK" and stride == 2)
            for attention in (None,) if single else (None, "SE", "eSE"):
                yield BlockSpec(kind, channels, kernel, r, stride, mid, attention)


def _unknown(name: str, why: str = "unknown block name") -> ModelError:
    tail = _TAIL.search(name)
    end = tail.group() if tail else "_64"
    known = [str(spec).removesuffix("_64") + end for spec in space(64)]
    return ModelError(f"{name!r}: {why}{nearest(name, known)}")


def parse(name: str) -> BlockSpec:
    """The block that ``name`` stands for; ``ModelError`` with the nearest name when there is none."""
    zero = _ZERO.fullmatch(name)
    match = zero or _PATTERN.fullmatch(name)
    if match is None:
        raise _unknown(name)
    cin = match["cin"]
    given = None if cin is None else (int(match["height"]), int(match["width"]))
    channels_in = None if cin is None else int(cin)
    if zero:
        return BlockSpec("Zero", int(match["out"]), kernel=1, channels_in=channels_in, input_size=given)
    kind = next(kind for kind, word in WORDS.items() if word == match["word"])
    if (match["expansion"] is None) == (kind in NUMBERED):
        raise _unknown(name)
    try:
        return BlockSpec(
            kind,
            int(match["out"]),
            kernel=int(match["kernel"]),
            expansion=int(match["expansion"] or 1),
            stride=2 if match["stride"] else 1,
            mid=bool(match["mid"]),
            attention=match["attention"],
            channels_in=channels_in,
            input_size=given,
        )
    except ModelError as error:
        raise _unknown(name, str(error).partition(": ")[2]) from None


def expand(names: Iterable[str]) -> tuple[BlockSpec, ...]:
    """Blocks of a list of names in which ``name*3`` stands for three of them."""
    blocks: list[BlockSpec] = []
    for entry in names:
        name, star, count = (part.strip() for part in entry.partition("*"))
        if star and not (count.isascii() and count.isdigit() and 1 <= int(count) <= 99):
            raise ModelError(f"{entry!r}: expected a number from 1 to 99 after '*'")
        blocks += [parse(name)] * (int(count) if star else 1)
    return tuple(blocks)
