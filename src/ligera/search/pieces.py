"""Entries and whole nets of a space as torch modules, and those as ONNX graphs ready to be timed.

A block timed alone, between a graph's input and output, costs what it never costs inside a net: runtimes keep maps in
a layout of their own between convolutions and change it at a graph's borders, which takes as long as a small block. So
each entry is exported in a frame: before it a 1x1 convolution of a single cell, spread over the map that the entry
reads, after it a depthwise convolution that looks at one corner of each channel, which every layout can do where it is.
The frame alone is exported for each shape of map, timed like any entry, and subtracted. The picture that the stem reads
and the rows that the neck gives are borders in a net too, and have no frame.

Sides and batch are left open in all graphs, as in the bundles that ship: a runtime that knows them fuses more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ligera.deploy.export.network import to_onnx, traced
from ligera.models.backbones.staged import StagedBackbone
from ligera.models.blocks import build_block
from ligera.models.catalogue import build
from ligera.models.layers import conv_bn
from ligera.models.pyramid import Pyramid
from ligera.search.architecture import Architecture
from ligera.search.entry import SEED_CHANNELS, Entry, Frame, MapShape
from ligera.search.precision import in_precision
from ligera.search.space import Space

__all__ = ["Cost", "cost_of", "entry_graph", "frame_graph", "module", "net_graph"]

# Prime, so that neighbouring channels differ; short, so that an archive of hundreds of graphs stays small.
PATTERN = 31


@dataclass(frozen=True, slots=True)
class Cost:
    """What an entry costs by counting, for its batch; see ``table.Row``."""

    macs: int
    activations: int
    parameters: int
    memory_bytes: int


class Neck(nn.Module):
    """Pyramid without its laterals, context and heads of a detector: maps of the levels, finest first -> rows."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        net = build(_smallest(space).spec())
        self.pyramid: Pyramid = net.pyramid
        self.pyramid.lateral = nn.ModuleList(nn.Identity() for _ in space.neck.stages)
        self.context, self.heads, self.widths = net.context, net.heads, net.widths

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        rows = []
        for level, context, head in zip(self.pyramid(maps), self.context, self.heads, strict=True):
            cells = head(context(level)).permute(0, 2, 3, 1)
            rows.append(cells.reshape(cells.shape[0], -1, sum(self.widths)))
        return torch.cat(rows, dim=1).split(self.widths, dim=2)


class Corner(nn.Module):
    """A map ``(B, C, H, W)`` -> a weighted sum of the first cells of each channel ``(B, C, 1, 1)``.

    Two by two cells where the map has them: runtimes move the stride of a 1x1 convolution to the layers before it, and
    would then compute nothing else.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        kernel, stride = (min(2, height), min(2, width)), (height, width)
        self.look = nn.Conv2d(channels, channels, kernel, stride, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.look(x)


class Framed(nn.Module):
    """A cell ``(B, SEED_CHANNELS, 1, 1)`` -> ``body`` on maps of these shapes -> ``ends`` on what it gives."""

    def __init__(self, maps: Sequence[MapShape], body: nn.Module | None, ends: Sequence[nn.Module]) -> None:
        super().__init__()
        self.body, self.ends = body, nn.ModuleList(ends)
        self.spread = [(float(one.height), float(one.width)) for one in maps]
        self.seeds = nn.ModuleList(nn.Conv2d(SEED_CHANNELS, one.channels, 1) for one in maps)

    def forward(self, cell: Tensor) -> tuple[Tensor, ...]:
        maps = tuple(
            functional.interpolate(seed(cell), scale_factor=spread, mode="nearest")
            for seed, spread in zip(self.seeds, self.spread, strict=True)
        )
        out = maps if self.body is None else self.body(*maps)
        given = out if isinstance(out, tuple) else (out,)
        return tuple(end(x) for end, x in zip(self.ends, given, strict=True)) if len(self.ends) else given


def module(space: Space, entry: Entry) -> nn.Module:
    """The layers of ``entry`` alone, with random weights."""
    if entry.part == "block":
        return build_block(entry.block, entry.channels_in, entry.activation, entry.shortcut)
    if entry.part == "stem":
        backbone = StagedBackbone(_smallest(space).spec().backbone)
        return nn.Sequential(backbone.stem, backbone.prestage, backbone.pool)
    if entry.part == "neck":
        return Neck(space)
    return conv_bn(entry.channels_in, entry.channels_out, 1, act=entry.activation)


def entry_graph(space: Space, entry: Entry, precision: str = "fp32", *, framed: bool = True) -> bytes:
    """``entry`` as an ONNX graph in its frame; without one for comparisons only."""
    return in_precision(_entry_graph(space, entry, framed), precision, has_heads=entry.part == "neck")


def _entry_graph(space: Space, entry: Entry, framed: bool) -> bytes:
    body = module(space, entry)
    out = (entry.channels_out, entry.height // entry.stride, entry.width // entry.stride)
    if not framed:
        return _graph(body, [(m.batch, m.channels, m.height, m.width) for m in entry.reads(space)])
    if entry.part == "stem":
        return _graph(nn.Sequential(body, Corner(*out)), [entry.input_shape])
    ends = [] if entry.part == "neck" else [Corner(*out)]
    return _graph(Framed(entry.reads(space), body, ends), [entry.input_shape])


def frame_graph(frame: Frame, precision: str = "fp32") -> bytes:
    """``frame`` and nothing in it."""
    ends = [Corner(one.channels, one.height, one.width) for one in frame.maps]
    return in_precision(_graph(Framed(frame.maps, None, ends), [frame.input_shape]), precision, has_heads=False)


def net_graph(architecture: Architecture, precision: str = "fp32") -> bytes:
    """The whole net as ``ligera export`` writes it, its sides open."""
    net = build(architecture.spec())
    _fill(net)
    return in_precision(to_onnx(net), precision, has_heads=True)


def cost_of(space: Space, entry: Entry) -> Cost:
    """Multiply-adds, activations, parameters and memory of ``entry``, counted without running it."""
    macs = activations = 0
    largest = 0

    def count(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal macs, activations, largest
        macs += output.numel() * conv.weight[0].numel()
        activations += output.numel()
        largest = max(largest, inputs[0].numel() + output.numel())

    with torch.device("meta"), torch.no_grad():
        body = module(space, entry).eval()
        for layer in body.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(count)
        body(*(torch.empty(entry.batch, s.channels, s.height, s.width) for s in entry.reads(space)))
    parameters = sum(parameter.numel() for parameter in body.parameters())
    return Cost(macs, activations, parameters, 4 * (parameters + largest))


def _smallest(space: Space) -> Architecture:
    """Any net will do for the parts that all have."""
    return space.choose(next(space.widths()), [[0] * len(stage.slots) for stage in space.stages])


def _graph(net: nn.Module, shapes: Sequence[tuple[int, ...]]) -> bytes:
    _fill(net)
    inputs = {f"input{i}": shape for i, shape in enumerate(shapes)}
    return traced(net, inputs, (), {name: {0: "batch", 2: "height", 3: "width"} for name in inputs})


@torch.no_grad()
def _fill(net: nn.Module) -> None:
    """The same short row of numbers over and over in every convolution: as fast as any others, and they pack well."""
    row = torch.randn(PATTERN, generator=torch.Generator().manual_seed(0)).clamp(-2, 2)
    row = torch.where(row.abs() < 0.05, torch.full_like(row, 0.05), row)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            count = layer.weight.numel()
            gain = (2 / layer.weight[0].numel()) ** 0.5
            layer.weight.copy_((row * gain).repeat(-(-count // PATTERN))[:count].view_as(layer.weight))
            if layer.bias is not None:
                layer.bias.fill_(0.01)
