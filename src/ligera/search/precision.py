"""Blocks and nets in the precision that a table is to be of. Needs onnx where that is not fp32.

In: an ONNX graph in fp32, its weights random. Out: the same graph as ``ligera export --precision`` would have it run:
in int8 all layers but the heads, as of detectors. Nobody looks at what comes out, so no pictures are calibrated on.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from ligera.deploy.onnx_package import load_onnx
from ligera.errors import UsageError, nearest

__all__ = ["PRECISIONS", "Precision", "in_precision", "read_precision"]

Precision = Literal["fp32", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# Any range will do: how long a multiplication takes does not depend on the scale.
ANY_RANGE = (0.0, 1.0)


def read_precision(name: str) -> Precision:
    """The precision called ``name``; ``UsageError`` for one that blocks are not made in."""
    for known in PRECISIONS:
        if name == known:
            return known
    hint = nearest(name[:40], PRECISIONS)
    raise UsageError(f"no blocks of precision {name[:40]!r}{hint}; known: {', '.join(PRECISIONS)}")


def in_precision(graph: bytes, precision: str, *, has_heads: bool) -> bytes:
    """``graph`` in ``precision``; with ``has_heads`` its last layers stay in float.

    Raises ``UsageError`` for a precision that is none, ``MissingExtra`` without onnx.
    """
    if read_precision(precision) == "fp32":
        return graph
    from ligera.deploy.quantization.graph import layers_of, prepare_graph
    from ligera.deploy.quantization.int8 import quantise

    prepared = prepare_graph(graph, "block")
    model: Any = load_onnx("making blocks in int8").load_model_from_string(prepared)
    names = {name for node in model.graph.node for name in (*node.input, *node.output)}
    ranges = dict.fromkeys(sorted(names - {tensor.name for tensor in model.graph.initializer}), ANY_RANGE)
    heads = [layer.name for layer in layers_of(model) if layer.is_head] if has_heads else []
    return quantise(prepared, ranges, kept_float=heads)
