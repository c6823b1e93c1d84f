"""A float graph made ready to be quantised, and what in it can be: layers, their activations, the heads.

In: a serialised ONNX model. Out: the same network, batch norms folded and shapes known, and its :class:`Layer` list. A
layer is one node with weights; what only acts on its output, such as a ReLU, belongs to it, as runtimes fuse the two.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.quantization.packages import load_quantiser, quietly
from ligera.errors import ModelError

__all__ = ["Layer", "layers_of", "named", "prepare_graph", "tail_of"]

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
ACTIVATIONS = frozenset(
    {"Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Elu", "Gelu"}
)


@dataclass(frozen=True, slots=True)
class Layer:
    """``name`` is that of the node with weights, ``nodes`` also of the activations that act on it alone.

    ``is_head`` where no other layer comes after: what it gives are the network's outputs.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    is_head: bool


def prepare_graph(graph: bytes, where: str) -> bytes:
    """``graph`` as ONNX Runtime wants it before quantising: simplified, shapes inferred, every node with a name.

    Raises ``ModelError`` for one that it cannot prepare, ``MissingExtra`` without onnx.
    """
    onnx = load_onnx()
    load_quantiser()
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="ligera-") as folder, quietly():
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        try:
            before.write_bytes(graph)
            # The symbolic inference needs another package and finds nothing more in networks of convolutions.
            quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
            model = onnx.load(after)
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(f"{where}: cannot be prepared for quantising ({reason})") from None
    named(model)
    return model.SerializeToString(deterministic=True)


def named(model: Any) -> None:
    """Give every node of ``model`` a name of its own, by which the quantiser is told what to leave alone."""
    seen: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{number}"
        seen.add(node.name)


def layers_of(model: Any) -> tuple[Layer, ...]:
    """The layers of ``model``, in the order in which they run."""
    constant = {tensor.name for tensor in model.graph.initializer}
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    last = tail_of(model)
    found = []
    for node in model.graph.node:
        if node.op_type not in WEIGHTED or not any(name in constant for name in node.input):
            continue
        names, end = [node.name], node.output[0]
        while len(readers[end]) == 1 and readers[end][0].op_type in ACTIVATIONS:
            names.append(readers[end][0].name)
            end = readers[end][0].output[0]
        found.append(Layer(node.name, node.op_type, tuple(names), node.name in last))
    return tuple(found)


def tail_of(model: Any) -> frozenset[str]:
    """Names of the nodes after which no layer comes, the last layers themselves included."""
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    before_a_layer: set[str] = set()
    tail = []
    for node in reversed(model.graph.node):
        after = [reader for name in node.output for reader in readers[name]]
        if any(reader.op_type in WEIGHTED or reader.name in before_a_layer for reader in after):
            before_a_layer.add(node.name)
        else:
            tail.append(node.name)
    return frozenset(tail)
