"""A frozen base with a head -> one bundle that ``ligera classify`` runs.

The base goes to ONNX first (``trace_base``), so that the features a head is trained on are those that ONNX Runtime will
give it; ``write_recognizer`` adds the head as the last layer. Its logits are those of each person above the person's
threshold, and 0 for ``unknown``: the largest is the answer, and a score of 0.5 is just at the threshold.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ligera.deploy.bundle import BundleCard, write_bundle
from ligera.deploy.enrolling.squares import FACE_KEY, FaceRule
from ligera.deploy.export.network import load_torch, relative_difference, traced
from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError

if TYPE_CHECKING:
    from ligera.train.recognition.bases import Base

__all__ = ["trace_base", "write_recognizer"]

PURPOSE = "enrolling a person"
# relative to the largest feature; float32 rounds in proportion
TOLERANCE = 1e-3


def trace_base(base: Base, side_px: int) -> bytes:
    """``base`` as ONNX: ``pictures (B, 3, side_px, side_px)`` -> ``features (B, F)``, checked against torch.

    Raises ``ModelError`` where the base cannot take pictures of that side or ONNX Runtime and torch differ.
    """
    torch = load_torch(PURPOSE)
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (2, 3, side_px, side_px)).astype(np.float32)
    spec = base.spec
    pixels = (pixels - np.reshape(spec.mean, (3, 1, 1))) * np.reshape(spec.scale, (3, 1, 1))
    pictures = torch.from_numpy(pixels.astype(np.float32))
    try:
        with torch.no_grad():
            expected = base.network(pictures).numpy()
        axes = {name: {0: "batch"} for name in ("pictures", "features")}
        graph = traced(base.network, {"pictures": tuple(pictures.shape)}, ("features",), axes)
    except (RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0][:100]
        raise ModelError(f"{base.name}: cannot take pictures of {side_px} x {side_px} px ({reason})") from None
    found = OnnxRuntime(graph).run(pictures.numpy())["features"]
    difference = relative_difference(expected, found)
    if not difference <= TOLERANCE:
        raise ModelError(
            f"{base.name}: ONNX Runtime and torch differ by {difference:.2g}, at most {TOLERANCE:g} may be"
        )
    return graph


def write_recognizer(
    graph: bytes, weight: np.ndarray, bias: np.ndarray, card: BundleCard, rule: FaceRule, path: Path
) -> BundleCard:
    """Write ``graph`` of :func:`trace_base` with a head on it to ``path``, whole or not at all.

    ``weight (K, F)`` and ``bias (K,)``, thresholds taken off, are those of the K persons of the card, whose last label
    is for anybody else. ``rule`` says how faces were squared and what the thresholds are. Returns the card as written.
    """
    if len(card.labels) != len(weight) + 1:
        raise ValueError(f"labels: expected {len(weight) + 1}, one for each person and unknown, got {len(card.labels)}")
    onnx = load_onnx(PURPOSE)
    model = onnx.load_model_from_string(graph)
    matrix = np.concatenate([weight, np.zeros_like(weight[:1])]).T.astype(np.float32)
    offset = np.append(bias, 0).astype(np.float32)
    tensors = (("head.weight", np.ascontiguousarray(matrix)), ("head.bias", offset))
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in tensors)
    model.graph.node.append(onnx.helper.make_node("Gemm", ["features", "head.weight", "head.bias"], ["logits"], "head"))
    del model.graph.output[:]
    shape = ["batch", len(card.labels)]
    model.graph.output.append(onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, shape))
    return write_bundle(model.SerializeToString(), card, path, {FACE_KEY: json.dumps(asdict(rule))})
