"""MTCNN's one to three networks -> one ONNX bundle.

The file is one graph with the input and the outputs of every detector's bundle. Which network reads a batch is told by
its size: 24x24 px is R-Net's, 48x48 O-Net's, any other P-Net's, by ONNX's own ``If``. So one session with one set of
threads holds all three, any runtime or viewer sees the whole graph, and nothing about running a bundle changes; the
choice takes 0.01 ms of a run. Ruled out: one graph with three inputs, as ONNX Runtime computes all outputs whichever
are asked for and these networks cannot be fed empty batches; R- and O-Net as text in P-Net's metadata, as the file
grows by a third, no tool sees them, and three sessions have three sets of threads.

The graph takes pixels from 0 to 255 and gives one logit for a score (``models.mtcnn_folded``). The key
``ligera.cascade`` of the metadata holds the ``CascadeRule`` as JSON.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ligera.deploy.bundle import BundleCard, write_bundle
from ligera.deploy.cascade.engine import CASCADE_KEY
from ligera.deploy.export.network import (
    OUTPUTS,
    ExportReport,
    check_parity,
    load_torch,
    relative_difference,
    traced,
)
from ligera.deploy.export.padding import PURPOSE
from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.models.cascade import STAGE_SIDES_PX, CascadeRule
from ligera.records import Preprocess

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto
    from torch import nn

__all__ = ["export_cascade"]

# A level of the pyramid that no crop could be taken for, and a batch that a size baked in would fail on.
PARITY_SHAPES = ((2, 3, 60, 91), (3, 3, 24, 24), (3, 3, 48, 48))


def export_cascade(nets: Sequence[nn.Module], card: BundleCard, rule: CascadeRule, path: Path) -> ExportReport:
    """Write P-Net, P- and R-Net, or all three, which read pictures as ``card.preprocess`` says, to ``path``.

    ``rule.stages`` is set to how many there are. Raises ``ModelError`` when torch and ONNX Runtime differ by more than
    1e-4, ``ValueError`` for no or more than three networks, ``MissingExtra`` without torch or onnx.
    """
    rule = replace(rule, stages=len(nets))
    graph = _joined([_traced(net, side, card.preprocess) for net, side in zip(nets, STAGE_SIDES_PX, strict=False)])
    difference = _largest_difference(nets, card.preprocess, graph)
    check_parity(difference, path)
    plain = Preprocess(multiple=1, max_side=card.preprocess.max_side, min_side=card.preprocess.min_side)
    written = write_bundle(graph, replace(card, preprocess=plain), path, {CASCADE_KEY: json.dumps(asdict(rule))})
    return ExportReport(path, written, path.stat().st_size, difference)


def _traced(net: nn.Module, side_px: int, rule: Preprocess) -> ModelProto:
    onnx = load_onnx(PURPOSE)
    from ligera.models.mtcnn_folded import Folded

    is_free = side_px == STAGE_SIDES_PX[0]
    axes = {"pictures": {0: "batch"} | ({2: "height", 3: "width"} if is_free else {})}
    axes |= {name: {0: "batch"} | ({1: "cells"} if is_free else {}) for name in OUTPUTS}
    shape = (2, 3, 60, 80) if is_free else (2, 3, side_px, side_px)
    return onnx.load_model_from_string(traced(Folded(net, rule), {"pictures": shape}, OUTPUTS, axes))


def _joined(models: Sequence[ModelProto]) -> bytes:
    """One model of all: the last network's branch outermost, P-Net's innermost."""
    whole = models[0]
    if len(models) > 1:
        graph = _branch(models[0].graph, "P-Net")
        for model, side in zip(models[1:], STAGE_SIDES_PX[1:], strict=False):
            letter = "R" if side == STAGE_SIDES_PX[1] else "O"
            graph = _choice(side, _branch(model.graph, f"{letter}-Net"), graph)
        whole.graph.CopyFrom(_opened(graph))
    del whole.graph.value_info[:]
    whole.graph.name = "MTCNN"
    return whole.SerializeToString(deterministic=True)


def _branch(graph: GraphProto, name: str) -> GraphProto:
    """``graph`` as a branch: all names its own, but for the input, which it takes from around it."""
    from onnx import compose

    branch = compose.add_prefix_graph(graph, f"{name}/", rename_inputs=False)
    branch.name = name
    del branch.input[:]
    return branch


def _choice(side_px: int, yes: GraphProto, no: GraphProto) -> GraphProto:
    """A graph that runs ``yes`` for pictures of ``side_px`` x ``side_px`` and ``no`` for all others."""
    onnx = load_onnx(PURPOSE)
    helper, numbers = onnx.helper, onnx.TensorProto
    name = f"{side_px}px"
    sides = helper.make_tensor(f"{name}/sides", numbers.INT64, [2], [side_px, side_px])
    zero = helper.make_tensor(f"{name}/zero", numbers.INT64, [], [0])
    outputs = [f"{name}/{output}" for output in OUTPUTS]
    nodes = [
        helper.make_node("Shape", ["pictures"], [f"{name}/shape"], start=2),
        helper.make_node("Sub", [f"{name}/shape", sides.name], [f"{name}/apart"]),
        helper.make_node("Mul", [f"{name}/apart", f"{name}/apart"], [f"{name}/squared"]),
        helper.make_node("ReduceSum", [f"{name}/squared"], [f"{name}/sum"], keepdims=0),
        helper.make_node("Equal", [f"{name}/sum", zero.name], [f"{name}/fits"]),
        helper.make_node("If", [f"{name}/fits"], outputs, then_branch=yes, else_branch=no),
    ]
    values = [helper.make_tensor_value_info(output, numbers.FLOAT, ["batch", None, None]) for output in outputs]
    return helper.make_graph(nodes, name, [], values, [sides, zero])


def _opened(graph: GraphProto) -> GraphProto:
    """``graph`` with the input and outputs of a detector's bundle."""
    onnx = load_onnx(PURPOSE)
    helper, numbers = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node("Identity", [own.name], [name]) for own, name in zip(graph.output, OUTPUTS, strict=True)]
    del graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("pictures", numbers.FLOAT, ["batch", 3, "height", "width"]))
    columns = (4, 1, None)
    graph.output.extend(
        helper.make_tensor_value_info(name, numbers.FLOAT, ["batch", "cells", count])
        for name, count in zip(OUTPUTS, columns, strict=True)
    )
    return graph


def _largest_difference(nets: Sequence[nn.Module], rule: Preprocess, graph: bytes) -> float:
    """The largest |torch - ONNX Runtime| over all networks' outputs on random pixels, relative where beyond 1."""
    torch = load_torch()
    runtime = OnnxRuntime(graph, threads=1)
    generator = np.random.default_rng(0)
    mean, scale = (np.array(values, np.float32)[:, None, None] for values in (rule.mean, rule.scale))
    worst = 0.0
    for net, shape in zip(nets, PARITY_SHAPES, strict=False):
        pixels = generator.uniform(0, 255, shape).astype(np.float32)
        prepared = ((pixels[:, ::-1] if rule.channels == "bgr" else pixels) - mean) * scale
        with torch.no_grad():
            outputs = copy.deepcopy(net).cpu().eval()(torch.from_numpy(prepared))
        boxes, scores, landmarks = (output.numpy() for output in outputs)
        margins = scores if scores.shape[2] == 1 else scores[:, :, 1:] - scores[:, :, :1]
        for ours, theirs in zip((boxes, margins, landmarks), runtime.run(pixels).values(), strict=True):
            worst = float(np.maximum(worst, relative_difference(ours, theirs)))
    return worst
