"""A recogniser's logits brought back to where they were before it was quantised, so that its thresholds still hold.

In: the quantised graph, whose head is in float, its inputs, and the logits ``(N, K)`` of the float graph for them. Out:
the graph with the mean difference taken off the head's bias. Rounding moves all answers a little to one side, which a
class taken by the highest score hardly notices, and a threshold does. It asks for no labels, and unlike a threshold set
anew it does not hang on the few faces that lie next to one. Source: bias correction, Nagel et al. 2019, 4.2, for the
last layer alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

__all__ = ["logits_of", "recentred"]


def logits_of(graph: bytes, inputs: Iterable[np.ndarray]) -> np.ndarray:
    """``(N, K)`` float64 for batches of one."""
    runtime = OnnxRuntime(graph)
    try:
        return np.concatenate([runtime.run(batch)["logits"] for batch in inputs]).astype(np.float64)
    finally:
        runtime.close()


def recentred(graph: bytes, expected: np.ndarray, inputs: Iterable[np.ndarray]) -> tuple[bytes, tuple[float, ...]]:
    """``graph`` with its mean difference from ``expected`` ``(N, K)`` taken off each logit, and that difference.

    Unchanged, with no difference, where the last layer is none whose bias could take it.
    """
    onnx = load_onnx()
    model = onnx.load_model_from_string(graph)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    head = next((node for node in model.graph.node if "logits" in node.output), None)
    if head is None or head.op_type != "Gemm" or len(head.input) < 3 or head.input[2] not in stored:
        return graph, ()
    shift = (logits_of(graph, inputs) - expected).mean(axis=0)
    tensor = stored[head.input[2]]
    bias = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array((bias - shift).astype(bias.dtype), tensor.name))
    return model.SerializeToString(deterministic=True), tuple(round(float(value), 6) for value in shift)
