"""Padding that a graph computes anew for every picture -> numbers in its convolutions, where pictures have one size.

In: a serialised ONNX model. Out: the same network without its ``Pad`` nodes and the arithmetic before them. That of
TensorFlow, as timm builds it, asks for a tensor's size and so stays in an exported graph as dozens of tiny nodes,
which also part a convolution from the quantised activation that it reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

__all__ = ["settle_padding"]

PURPOSE = "exporting a network"


def settle_padding(graph: bytes) -> bytes:
    """``graph`` with each zero padding of rows and columns moved into the one convolution that reads it.

    Unchanged where its input has a free size, or nothing is to be moved. ``MissingExtra`` without onnx.
    """
    onnx = load_onnx(PURPOSE)
    model = onnx.load_model_from_string(graph)
    entry = model.graph.input[0]
    sides = [side.dim_value for side in entry.type.tensor_type.shape.dim][1:]
    movable = _movable(model.graph)
    if not movable or len(model.graph.input) != 1 or not all(sides):
        return graph
    amounts = _amounts(onnx, graph, sorted({pad.input[1] for pad, _ in movable}), sides)
    movable = [(pad, convolution) for pad, convolution in movable if _is_around(amounts[pad.input[1]])]
    for pad, convolution in movable:
        _move(onnx, pad, convolution, amounts[pad.input[1]])
    gone = {id(pad) for pad, _ in movable}
    _keep(model.graph, [node for node in model.graph.node if id(node) not in gone])
    return model.SerializeToString(deterministic=True)


def _movable(graph: Any) -> list[tuple[Any, Any]]:
    """Paddings with zeros that one convolution reads, and that convolution."""
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = []
    for node in graph.node:
        after = readers.get(node.output[0], []) if node.op_type == "Pad" else []
        mode = next((attribute.s for attribute in node.attribute if attribute.name == "mode"), b"constant")
        value = node.input[2] if len(node.input) > 2 else ""
        if len(after) == 1 and after[0].op_type == "Conv" and mode == b"constant" and _is_zero(graph, value):
            found.append((node, after[0]))
    return found


def _is_zero(graph: Any, name: str) -> bool:
    """Whether ``name`` is nothing, or a number that is zero and stands in the graph."""
    if not name:
        return True
    onnx = load_onnx(PURPOSE)
    tensors = [tensor for tensor in graph.initializer if tensor.name == name]
    constants = [node for node in graph.node if node.op_type == "Constant" and node.output[0] == name]
    tensors += [attribute.t for node in constants for attribute in node.attribute if attribute.name == "value"]
    return len(tensors) == 1 and not onnx.numpy_helper.to_array(tensors[0]).any()


def _amounts(onnx: Any, graph: bytes, names: list[str], sides: list[int]) -> dict[str, np.ndarray]:
    """What the tensors ``names`` hold for pictures of these sides, asked of the network itself."""
    model = onnx.load_model_from_string(graph)
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, [8]) for name in names)
    runtime = OnnxRuntime(model.SerializeToString(), threads=1)
    kind = onnx.helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    found = runtime.run(np.zeros((1, *sides), kind))
    runtime.close()
    return found


def _is_around(amounts: np.ndarray) -> bool:
    """Whether rows and columns alone are added to, which a convolution can do itself."""
    return not amounts[[0, 1, 4, 5]].any() and bool((amounts >= 0).all())


def _move(onnx: Any, pad: Any, convolution: Any, amounts: np.ndarray) -> None:
    """``amounts`` are those before each of four axes, then after; the first two are not padded here."""
    own = next((attribute for attribute in convolution.attribute if attribute.name == "pads"), None)
    before = list(own.ints) if own is not None else [0] * 4
    whole = [int(a) + int(b) for a, b in zip(before, amounts[[2, 3, 6, 7]], strict=True)]
    kept = [attribute for attribute in convolution.attribute if attribute.name not in ("pads", "auto_pad")]
    attributes = [*kept, onnx.helper.make_attribute("pads", whole)]
    copies = [onnx.AttributeProto.FromString(attribute.SerializeToString()) for attribute in attributes]
    del convolution.attribute[:]
    convolution.attribute.extend(copies)
    convolution.input[0] = pad.input[0]


def _keep(graph: Any, nodes: list[Any]) -> None:
    """Only those of ``nodes`` that an output needs."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed.update(node.input)
            kept.append(type(node).FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(reversed(kept))
