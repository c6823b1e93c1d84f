"""The three graphs of a layout detector as one, so that one session with one set of threads holds them.

Which part reads an input is told by its second side, by ONNX's own ``If``: pages ``(1, 3, H, W)`` have 3, features
pooled for the box head ``(P, side, side, C)`` and for the mask head have the sides of their pooling. All parts have the
same outputs; those that are not theirs come back empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ligera.deploy.onnx_package import load_onnx
from ligera.errors import ModelError
from ligera.models.layout_specs import LEVEL_STRIDES

if TYPE_CHECKING:
    from onnx import GraphProto

__all__ = ["INPUT", "LEVELS", "MASKS", "OFFSETS", "OUTPUTS", "PICTURE_CHANNELS", "SCORES", "Part", "join_parts"]

INPUT = "input"
LEVELS = tuple(f"p{level}" for level in range(len(LEVEL_STRIDES)))
SCORES, OFFSETS, MASKS = "scores", "offsets", "masks"
# The names of all outputs, and how many sides each has.
OUTPUTS = {**dict.fromkeys(LEVELS, 4), SCORES: 2, OFFSETS: 3, MASKS: 4}
PICTURE_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """A serialised ONNX model with the input ``input`` whose second side is ``side``, and some of the outputs."""

    name: str
    side: int
    graph: bytes


def join_parts(parts: Sequence[Part]) -> bytes:
    """One serialised ONNX model of all ``parts``, tried in order; the last takes what no other does.

    Raises ``ModelError`` where two parts have the same side and ``MissingExtra`` without onnx.
    """
    if len({part.side for part in parts}) < len(parts):
        sides = ", ".join(f"{part.name} {part.side}" for part in parts)
        raise ModelError(f"expected parts that read inputs of different sides, got {sides}; change a pooling")
    onnx = load_onnx("writing a bundle")
    models = [onnx.load_model_from_string(part.graph) for part in parts]
    chosen = _branch(models[-1].graph, parts[-1].name)
    for part, model in zip(reversed(parts[:-1]), reversed(models[:-1]), strict=True):
        chosen = _choice(part, _branch(model.graph, part.name), chosen)
    whole = models[0]
    whole.graph.CopyFrom(_opened(chosen))
    onnx.checker.check_model(whole)
    return whole.SerializeToString(deterministic=True)


def _branch(graph: GraphProto, name: str) -> GraphProto:
    """``graph`` with all outputs and with names of its own, but for the input, which it takes from around it."""
    from onnx import TensorProto, compose, helper

    own = {output.name for output in graph.output}
    branch = compose.add_prefix_graph(graph, f"{name}/", rename_inputs=False)
    branch.name = name
    del branch.input[:], branch.output[:], branch.value_info[:]
    for output, sides in OUTPUTS.items():
        if output not in own:
            nothing = helper.make_tensor(f"{name}/{output}/nothing", TensorProto.FLOAT, [0] * sides, [])
            branch.node.append(helper.make_node("Constant", [], [f"{name}/{output}"], value=nothing))
        branch.output.append(_value(f"{name}/{output}", sides))
    return branch


def _choice(part: Part, yes: GraphProto, no: GraphProto) -> GraphProto:
    """A graph that runs ``yes`` for inputs of the side that ``part`` reads and ``no`` for all others."""
    from onnx import TensorProto, helper

    name = f"is {part.name}"
    side = helper.make_tensor(f"{name}/side", TensorProto.INT64, [1], [part.side])
    outputs = [f"{name}/{output}" for output in OUTPUTS]
    nodes = [
        helper.make_node("Shape", [INPUT], [f"{name}/second"], start=1, end=2),
        helper.make_node("Equal", [f"{name}/second", side.name], [f"{name}/fits"]),
        helper.make_node("If", [f"{name}/fits"], outputs, then_branch=yes, else_branch=no),
    ]
    values = [_value(output, sides) for output, sides in zip(outputs, OUTPUTS.values(), strict=True)]
    return helper.make_graph(nodes, name, [], values, [side])


def _opened(graph: GraphProto) -> GraphProto:
    """``graph`` with the input and the outputs of the whole."""
    from onnx import helper

    nodes = [helper.make_node("Identity", [own.name], [name]) for own, name in zip(graph.output, OUTPUTS, strict=True)]
    del graph.output[:]
    graph.name = "layout"
    graph.node.extend(nodes)
    graph.input.append(_value(INPUT, 4))
    graph.output.extend(_value(name, sides) for name, sides in OUTPUTS.items())
    return graph


def _value(name: str, sides: int):  # type: ignore[no-untyped-def]
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * sides)
