"""A prepared float graph and the ranges of its activations -> the same network in int8, as ONNX QDQ.

Weights are signed with a scale for each channel, activations unsigned with one scale: the one combination that
processors with VNNI multiply in a single step. TensorRT takes signed activations only, symmetric about zero, which is
the other choice. Anything that runs ONNX runs the file; what computes in int8 fuses quantising with what is between.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np

from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.quantization.calibration import Ranges
from ligera.deploy.quantization.graph import Layer, layers_of, tail_of
from ligera.deploy.quantization.packages import load_quantiser, quietly

__all__ = ["ACTIVATION_TYPES", "Activations", "quantise", "take_bytes"]

Activations = Literal["u8", "s8"]
ACTIVATION_TYPES: tuple[Activations, ...] = ("u8", "s8")
HIGHEST_PIXEL = 255.0


def quantise(
    graph: bytes,
    ranges: Ranges,
    *,
    kept_float: Collection[str] = (),
    only: Collection[str] | None = None,
    activations: Activations = "u8",
) -> bytes:
    """``graph`` in int8, but for the layers named in ``kept_float``, or with ``only`` those layers alone.

    What lies between two layers stays in float only where both do. Once all heads are kept in float, so is what follows
    them.
    """
    onnx, quantisation = load_onnx(), load_quantiser()
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    model = onnx.load_model_from_string(graph)
    types = quantisation.QuantType
    signed = activations == "s8"
    with quietly():
        quantiser = QDQQuantizer(
            model,
            True,  # per channel
            False,  # all 8 bits: only processors without VNNI need one to spare
            types.QInt8,
            types.QInt8 if signed else types.QUInt8,
            TensorsData(quantisation.CalibrationMethod.MinMax, _arrays(ranges)),
            None,
            sorted(_left_alone(model, kept_float, only)),
            sorted({*QLinearOpsRegistry, *QDQRegistry}),
            {"ActivationSymmetric": signed, "WeightSymmetric": True},
        )
        quantiser.quantize_model()
        quantiser.model.topological_sort()
    result = quantiser.model.model
    del result.graph.value_info[:]
    return result.SerializeToString(deterministic=True)


def _arrays(ranges: Ranges) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: (np.float32(low).reshape(()), np.float32(high).reshape(())) for name, (low, high) in ranges.items()}


def _left_alone(model: Any, kept_float: Collection[str], only: Collection[str] | None) -> set[str]:
    """Names of the nodes not to touch."""
    layers: tuple[Layer, ...] = layers_of(model)
    if only is not None:
        wanted = {name for layer in layers if layer.name in only for name in layer.nodes}
        return {node.name for node in model.graph.node} - wanted
    kept = {name for layer in layers if layer.name in kept_float for name in layer.nodes}
    heads = {layer.name for layer in layers if layer.is_head}
    if heads and heads <= kept:
        kept |= tail_of(model)
    return kept


def take_bytes(graph: bytes) -> bytes | None:
    """The quantised ``graph`` with pixels as its input, 0 to 255 in uint8, or ``None`` where that is not the same.

    A network that reads pixels as they are needs no float in between: preparing and feeding a picture moves a quarter
    of the memory. Its input must have been quantised by the scale 1, and read by nothing else.
    """
    onnx = load_onnx()
    model = onnx.load_model_from_string(graph)
    entry = model.graph.input[0]
    readers = [node for node in model.graph.node if entry.name in node.input]
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    if len(readers) != 1 or readers[0].op_type != "QuantizeLinear":
        return None
    first = readers[0]
    scale, zero = (onnx.numpy_helper.to_array(constants[name]) for name in first.input[1:3])
    if scale.shape != () or float(scale) != 1.0 or zero.dtype != np.uint8 or int(zero) != 0:
        return None
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == first.output[0]:
                node.input[place] = entry.name
    model.graph.node.remove(first)
    entry.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    return model.SerializeToString(deterministic=True)
