"""A graph that computes in float16: what a strongly typed runtime needs, as it does what tensors say and nothing else.

In: a serialised ONNX model in float32, or one whose weights ``halves`` stored in 16 bits. Out: the same network with
every tensor in float16, but for its input and outputs, which stay as they are. ONNX Runtime's converter does it, which
knows which operators want float32 for some of their inputs, as ``Resize`` for its scales.
"""

from __future__ import annotations

from typing import Any

from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.quantization.packages import load_quantiser, quietly
from ligera.errors import ModelError

__all__ = ["compute_in_halves"]


def compute_in_halves(graph: bytes, where: str) -> bytes:
    """``graph`` in float16; ``ModelError`` for one that cannot be converted, ``MissingExtra`` without onnx."""
    onnx = load_onnx()
    # which first says that nothing is to be reported to ONNX Runtime's maker
    load_quantiser()
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load_model_from_string(graph)
    _widen(onnx, model.graph)
    try:
        with quietly():
            model = onnx.shape_inference.infer_shapes(model)
            sorting = ONNXModel(convert_float_to_float16(model, keep_io_types=True))
            # it puts the casts of inputs and outputs at the end
            sorting.topological_sort()
            converted = sorting.model
        onnx.checker.check_model(converted)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{where}: cannot be brought to float16 arithmetic ({reason})") from None
    return converted.SerializeToString(deterministic=True)


def _widen(onnx: Any, graph: Any) -> None:
    """Take back what ``store_halves`` did: weights under their old names, without the casts."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        tensor = stored.get(node.input[0]) if node.op_type == "Cast" and node.input else None
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT16:
            kept.append(node)
            continue
        values = onnx.numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, node.output[0]))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)
