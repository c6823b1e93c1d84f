"""Weights stored in 16 bits: half the file, the same arithmetic wherever a runtime widens them when it loads.

float16 keeps ten bits after the point and reaches 65,504; bfloat16 keeps seven and reaches as far as float32.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ligera.deploy.onnx_package import load_onnx
from ligera.errors import ModelError

__all__ = ["HALF_PRECISIONS", "store_halves"]

HALF_PRECISIONS = ("fp16", "bf16")
# A cast takes as much of a file as this many numbers save.
LEAST_NUMBERS = 256


def store_halves(graph: bytes, precision: Literal["fp16", "bf16"], where: str) -> bytes:
    """``graph``, a serialised ONNX model, with each float32 weight of 256 numbers or more stored in 16 bits.

    A ``Cast`` brings it back to float32, so that inputs, outputs and operators stay as they are; in the branches of an
    ``If`` too. Raises ``ModelError`` for a weight beyond what float16 can hold.
    """
    onnx = load_onnx()
    model = onnx.load_model_from_string(graph)
    # inner ones first, as putting nodes into a graph copies them
    for part in reversed(_graphs(model.graph)):
        _store(onnx, part, precision, where)
    return model.SerializeToString(deterministic=True)


def _graphs(graph: Any) -> list[Any]:
    """``graph`` and those within its nodes."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *(deeper for one in inner for deeper in _graphs(one))]


def _store(onnx: Any, graph: Any, precision: str, where: str) -> None:
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        if values.size < LEAST_NUMBERS:
            continue
        name = tensor.name
        stored = f"{name}.{precision}"
        tensor.CopyFrom(_half(onnx, values, stored, precision, where, name))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], f"{name}.widened", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _half(onnx: Any, values: np.ndarray, stored: str, precision: str, where: str, name: str) -> Any:
    if precision == "fp16":
        with np.errstate(over="ignore"):
            small = values.astype(np.float16)
        if not np.isfinite(small).all():
            raise ModelError(f"{where}: its weight {name!r} has values beyond float16; choose bf16")
        return onnx.numpy_helper.from_array(small, stored)
    # the upper half of a float32, rounded to nearest, ties to even
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    upper = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return onnx.helper.make_tensor(stored, onnx.TensorProto.BFLOAT16, values.shape, upper.tobytes(), raw=True)
