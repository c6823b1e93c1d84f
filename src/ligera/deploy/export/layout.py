"""A torch Mask R-CNN -> one bundle, checked against the network it came from.

In: a network of ``models.maskrcnn`` and its card. Out: one ONNX file of three parts (``layout.joining``): the front
(page -> pyramid, objectness, offsets), the box head and the mask head; what lies between them runs in numpy
(``deploy.layout``). Nothing is written when a part and torch disagree.

Why in parts: torch's tracing exporter can write the network at once and faithfully, if pages are prepared and masks
pasted outside of it; but thresholds and limits are then fixed, it took half as long again on a CPU, and it needs
operators for choosing and suppressing boxes that few other runtimes take. torch's newer exporter fails on all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ligera.deploy.bundle import BundleCard, write_bundle
from ligera.deploy.export.network import check_parity, evaluating, relative_difference, traced
from ligera.deploy.layout.engine import LAYOUT_KEY
from ligera.deploy.layout.joining import INPUT, LEVELS, MASKS, OFFSETS, PICTURE_CHANNELS, SCORES, Part, join_parts
from ligera.deploy.layout.weights import halve_weights
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError
from ligera.models.layout_specs import MaskRCNNSpec, RegionDecoding

if TYPE_CHECKING:
    from torchvision.models.detection.mask_rcnn import MaskRCNN

__all__ = ["LayoutExport", "card_of", "export_layout"]

# Two shapes of page: a graph with a size baked in fails on the second.
PARITY_PAGES = ((96, 64), (160, 224))
PARITY_BOXES = (1, 5)


class _Front(nn.Module):
    """Pages ``(1, 3, H, W)`` -> maps with channels last, objectness ``(1, N)`` and offsets ``(1, N, 4)``."""

    outputs = (*LEVELS, SCORES, OFFSETS)

    def __init__(self, net: MaskRCNN) -> None:
        super().__init__()
        self.backbone, self.head = net.backbone, net.rpn.head

    def forward(self, pages: Tensor) -> tuple[Tensor, ...]:
        maps = list(self.backbone(pages).values())
        logits, offsets = self.head(maps)
        rows = torch.cat([level.permute(0, 2, 3, 1).reshape(pages.shape[0], -1) for level in logits], dim=1)
        fours = torch.cat([level.permute(0, 2, 3, 1).reshape(pages.shape[0], -1, 4) for level in offsets], dim=1)
        return (*(level.permute(0, 2, 3, 1) for level in maps), rows, fours)


class _Boxes(nn.Module):
    """Pooled features ``(P, side, side, C)`` -> class logits ``(P, K + 1)`` and offsets ``(P, K + 1, 4)``."""

    outputs = (SCORES, OFFSETS)

    def __init__(self, net: MaskRCNN) -> None:
        super().__init__()
        self.head, self.predictor = net.roi_heads.box_head, net.roi_heads.box_predictor

    def forward(self, pooled: Tensor) -> tuple[Tensor, ...]:
        logits, offsets = self.predictor(self.head(pooled.permute(0, 3, 1, 2)))
        return logits, offsets.reshape(offsets.shape[0], -1, 4)


class _Masks(nn.Module):
    """Pooled features ``(N, side, side, C)`` -> probabilities ``(N, K, 2 side, 2 side)``, background left out."""

    outputs = (MASKS,)

    def __init__(self, net: MaskRCNN) -> None:
        super().__init__()
        self.head, self.predictor = net.roi_heads.mask_head, net.roi_heads.mask_predictor

    def forward(self, pooled: Tensor) -> tuple[Tensor, ...]:
        return (self.predictor(self.head(pooled.permute(0, 3, 1, 2)))[:, 1:].sigmoid(),)


@dataclass(frozen=True, slots=True)
class LayoutExport:
    """What was written.

    ``difference`` is the largest |torch - ONNX Runtime| of any part with the weights that torch has,
    ``stored_difference`` with those that were stored; both relative where values exceed 1.
    """

    path: Path
    card: BundleCard
    rule: RegionDecoding
    size_bytes: int
    difference: float
    stored_difference: float


def card_of(spec: MaskRCNNSpec, name: str, labels: tuple[str, ...]) -> BundleCard:
    """A card for a network of ``spec``; ``ModelError`` where there are not as many labels as it has classes."""
    if len(labels) != spec.classes:
        raise ModelError(f"{name}: expected {spec.classes} labels, as the network has classes, got {len(labels)}")
    return BundleCard(name, spec.preprocess, task="detect-regions", labels=labels)


def export_layout(
    net: MaskRCNN, card: BundleCard, path: Path, *, score: float = 0.5, half_weights: bool = False
) -> LayoutExport:
    """Write ``net``, as ``build_maskrcnn`` made it, to ``path`` as one bundle.

    Regions that score above ``score`` are reported where nobody says otherwise. ``half_weights`` stores weights in 16
    bits; arithmetic stays in 32. Raises ``ModelError`` when torch and ONNX Runtime differ by more than 1e-4,
    ``MissingExtra`` without onnx.
    """
    with evaluating(net):
        modules, inputs = _modules(net), _inputs(net.spec)
        parts = {name: _graph(module, inputs[name][0]) for name, module in modules.items()}
        difference = stored = _largest_difference(modules, inputs, _joined(parts, inputs))
        check_parity(difference, path)
        if half_weights:
            parts = {name: halve_weights(graph) for name, graph in parts.items()}
            stored = _largest_difference(modules, inputs, _joined(parts, inputs))
    rule = replace(net.spec.decoding, score_threshold=score)
    card = write_bundle(_joined(parts, inputs), card, path, {LAYOUT_KEY: json.dumps(asdict(rule))})
    return LayoutExport(path, card, rule, path.stat().st_size, difference, stored)


def _modules(net: MaskRCNN) -> dict[str, nn.Module]:
    return {"front": _Front(net).eval(), "boxes": _Boxes(net).eval(), "masks": _Masks(net).eval()}


def _inputs(spec: MaskRCNNSpec) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of input that each part is traced with (the first) and held against torch with (all)."""
    rule, channels = spec.decoding, spec.pyramid_channels
    return {
        "front": [(1, PICTURE_CHANNELS, *size) for size in PARITY_PAGES],
        "boxes": [(count, rule.box_pool, rule.box_pool, channels) for count in PARITY_BOXES],
        "masks": [(count, rule.mask_pool, rule.mask_pool, channels) for count in PARITY_BOXES],
    }


def _graph(part: nn.Module, shape: tuple[int, ...]) -> bytes:
    is_page = part.outputs[0] in LEVELS
    sides = {name: {1: "rows", 2: "columns"} for name in LEVELS} | {SCORES: {1: "anchors"}, OFFSETS: {1: "anchors"}}
    counts = {name: {0: "count"} for name in (INPUT, *part.outputs)}
    free = {INPUT: {2: "height", 3: "width"}, **sides} if is_page else counts
    # more than one, as a count of one would be baked in
    seen = shape if is_page else (2, *shape[1:])
    return traced(part, {INPUT: seen}, part.outputs, free)


def _joined(parts: Mapping[str, bytes], inputs: Mapping[str, list[tuple[int, ...]]]) -> bytes:
    return join_parts([Part(name, inputs[name][0][1], graph) for name, graph in parts.items()])


@torch.no_grad()
def _largest_difference(
    modules: Mapping[str, nn.Module], inputs: Mapping[str, list[tuple[int, ...]]], graph: bytes
) -> float:
    """The largest |torch - ONNX Runtime| over the outputs of all parts; NaN where either has one or shapes differ."""
    runtime = OnnxRuntime(graph, threads=1)
    generator, worst = np.random.default_rng(0), 0.0
    for name, module in modules.items():
        place = next(module.parameters()).device
        for shape in inputs[name]:
            batch = generator.standard_normal(shape).astype(np.float32)
            outputs = runtime.run(batch)
            for output, tensor in zip(module.outputs, module(torch.from_numpy(batch).to(place)), strict=True):
                worst = float(np.maximum(worst, relative_difference(tensor.float().cpu().numpy(), outputs[output])))
    runtime.close()
    return worst
