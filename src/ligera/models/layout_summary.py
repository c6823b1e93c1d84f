"""What a layout detector or a backbone costs before it is trained: parameters, multiply-adds. No weights are made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ligera.models.layout_catalogue import find_backbone, find_layout
from ligera.models.layout_specs import LEVEL_STRIDES, MaskRCNNSpec, ResNetSpec, VoVNetSpec
from ligera.models.maskrcnn import build_backbone, build_maskrcnn

__all__ = ["BackboneSummary", "LayoutSummary", "summarize_backbone", "summarize_layout"]


@dataclass(frozen=True, slots=True)
class BackboneSummary:
    """``macs`` are multiply-adds for a picture of ``input_size`` (height, width) px; parameters include batch norm."""

    parameters: int
    macs: int
    channels: tuple[int, ...]
    input_size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class LayoutSummary:
    """Multiply-adds for a page of ``input_size`` (height, width) px, for each proposal on it, for each region found.

    ``macs`` is the sum for a page with as many proposals as the spec keeps and ``regions`` regions.
    """

    parameters: int
    page_macs: int
    proposal_macs: int
    region_macs: int
    macs: int
    regions: int
    input_size: tuple[int, int]


def summarize_backbone(
    model: str | ResNetSpec | VoVNetSpec, input_size: tuple[int, int] = (320, 320)
) -> BackboneSummary:
    """Count a backbone by name or spec; sides are multiples of 32 px (``ValueError``)."""
    _check(input_size)
    spec = find_backbone(model) if isinstance(model, str) else model
    with torch.device("meta"):
        net = build_backbone(spec).eval()
        macs = _macs(net, torch.empty(1, 3, *input_size))
    return BackboneSummary(_parameters(net), macs, spec.channels, tuple(input_size))


def summarize_layout(
    model: str | MaskRCNNSpec, input_size: tuple[int, int] = (768, 512), *, regions: int = 40
) -> LayoutSummary:
    """Count a layout detector by name or spec; sides are multiples of 32 px (``ValueError``)."""
    _check(input_size)
    spec = find_layout(model) if isinstance(model, str) else model
    rule, channels = spec.decoding, spec.pyramid_channels
    with torch.device("meta"):
        net = build_maskrcnn(spec).eval()
        heads = net.roi_heads
        sides = [(input_size[0] // stride, input_size[1] // stride) for stride in LEVEL_STRIDES]
        features = [torch.empty(1, channels, *side) for side in sides]
        page = _macs(net.backbone, torch.empty(1, 3, *input_size)) + _macs(net.rpn.head, features)
        box = nn.Sequential(heads.box_head, heads.box_predictor)
        mask = nn.Sequential(heads.mask_head, heads.mask_predictor)
        proposal = _macs(box, torch.empty(1, channels, rule.box_pool, rule.box_pool))
        region = _macs(mask, torch.empty(1, channels, rule.mask_pool, rule.mask_pool))
    total = page + rule.proposals * proposal + regions * region
    return LayoutSummary(_parameters(net), page, proposal, region, total, regions, tuple(input_size))


def _check(input_size: tuple[int, int]) -> None:
    if min(input_size) < 32 or any(side % 32 for side in input_size):
        raise ValueError(f"input_size: expected sides that 32 divides, got {tuple(input_size)}")


def _parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _macs(net: nn.Module, inputs: object) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(inputs)
    return counter.get_total_flops() // 2
