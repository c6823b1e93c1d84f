"""Smaller files: an ONNX graph whose large weights are stored in 16 bits and widened to 32 when it is loaded."""

from __future__ import annotations

import numpy as np

from ligera.deploy.onnx_package import load_onnx
from ligera.errors import ModelError

__all__ = ["halve_weights"]

LEAST_NUMBERS = 256


def halve_weights(graph: bytes) -> bytes:
    """``graph``, a serialised ONNX model, with each float32 weight of 256 numbers or more stored as float16.

    A ``Cast`` brings it back to float32, which runtimes do once, when they load; inputs, outputs and arithmetic stay as
    they are. Raises ``ModelError`` where a weight is beyond what float16 can hold.
    """
    onnx = load_onnx("writing a bundle")
    model = onnx.load_model_from_string(graph)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        if values.size < LEAST_NUMBERS:
            continue
        name = tensor.name
        with np.errstate(over="ignore"):
            small = values.astype(np.float16)
        if not np.isfinite(small).all():
            raise ModelError(f"the weight {name!r} has values beyond float16; store this network's weights in 32 bits")
        tensor.CopyFrom(onnx.numpy_helper.from_array(small, f"{name}.half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()
