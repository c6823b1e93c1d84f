"""How wide a detector looks: the side, in px, of the square of input that one cell's outputs depend on. No torch here.

Exact arithmetic on index intervals, walked from a head back to the picture through context, pyramid and backbone.
The global means of SE and eSE, which see the whole picture, are left out; so is padding at the border.
"""

from __future__ import annotations

from functools import cache

from ligera.models.names import BlockSpec, expand
from ligera.models.specs import BackboneSpec, DetectorSpec

__all__ = ["receptive_field_px"]

Layer = tuple[int, int]
"""Kernel and stride of one convolution or pooling."""
Interval = tuple[int, int]
"""First and last index along one side."""

_CONTEXT: dict[str, tuple[Layer, ...]] = {"ssh": ((3, 1),) * 3, "conv": ((3, 1),), "none": ()}
_RESNET50_BLOCKS = (3, 4, 6, 3)


def _block_layers(block: BlockSpec) -> tuple[Layer, ...]:
    """The spatial convolutions of a block; its shortcut never sees more than they do."""
    if block.kind == "Zero":
        return ()
    first = (block.kernel, block.stride)
    return (first, (block.kernel, 1)) if block.kind == "KK" and not block.mid else (first,)


def _stage_layers(backbone: BackboneSpec | str) -> tuple[tuple[Layer, ...], ...]:
    """Layers of the four stages; what stands before stage 1 is counted to it."""
    if not isinstance(backbone, BackboneSpec):
        stages = [((3, 1 if number == 0 else 2), *((3, 1),) * (n - 1)) for number, n in enumerate(_RESNET50_BLOCKS)]
        return (((7, 2), (3, 2), *stages[0]), *stages[1:])
    before: list[Layer] = [(3, 2)]
    for block in expand(backbone.prestage):
        before += _block_layers(block)
    before += [(3, 2)] if backbone.maxpool else []
    stages = [tuple(layer for block in blocks for layer in _block_layers(block)) for blocks in backbone.stage_blocks()]
    return ((*before, *stages[0]), *stages[1:])


def _back(interval: Interval, layers: tuple[Layer, ...]) -> Interval:
    """The input interval that ``interval`` of the last layer's output depends on; layers pad by ``kernel // 2``."""
    first, last = interval
    for kernel, stride in reversed(layers):
        first, last = first * stride - kernel // 2, last * stride - kernel // 2 + kernel - 1
    return first, last


def _level_input(spec: DetectorSpec, level: int, cell: int) -> Interval:
    """Input pixels along one side that ``cell`` of pyramid ``level`` depends on."""
    stages = _stage_layers(spec.backbone)

    def picture(stage: int, interval: Interval) -> Interval:
        for layers in reversed(stages[:stage]):
            interval = _back(interval, layers)
        return interval

    interval = _back((cell, cell), _CONTEXT[spec.context])
    seen = []
    coarsest = len(spec.pyramid_stages) - 1
    for at in range(level, coarsest + 1):
        if at < coarsest:
            interval = _back(interval, ((3, 1),))
        seen.append(picture(spec.pyramid_stages[at], interval))
        interval = (interval[0] // 2, interval[1] // 2)
    return min(first for first, _ in seen), max(last for _, last in seen)


@cache
def receptive_field_px(spec: DetectorSpec) -> tuple[int, ...]:
    """Side in px of what a cell of each pyramid level sees, finest level first.

    Nearest upsampling makes neighbouring cells of one level differ a little; the widest counts.
    """
    sides = []
    for level in range(len(spec.pyramid_stages)):
        intervals = [_level_input(spec, level, cell) for cell in range(2 ** len(spec.pyramid_stages))]
        sides.append(max(last - first + 1 for first, last in intervals))
    return tuple(sides)
