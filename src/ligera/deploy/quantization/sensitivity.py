"""Which layers suffer from int8: each one quantised alone, and what that does to the network's outputs.

In: a prepared float graph, ranges, a few inputs. Out: layers by the error that each causes, worst first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.quantization.calibration import Ranges
from ligera.deploy.quantization.graph import layers_of
from ligera.deploy.quantization.int8 import Activations, quantise
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

__all__ = ["LayerError", "rank_layers"]


@dataclass(frozen=True, slots=True)
class LayerError:
    """``error`` is the root mean square of what changed, over that of the outputs themselves; worst of the outputs."""

    layer: str
    error: float


def rank_layers(
    graph: bytes, ranges: Ranges, inputs: Sequence[np.ndarray], *, activations: Activations = "u8"
) -> tuple[LayerError, ...]:
    """The layers of ``graph``, worst first, by the error of its outputs for ``inputs`` when one layer alone is int8."""
    layers = layers_of(load_onnx().load_model_from_string(graph))
    expected = _outputs(graph, inputs)
    found = []
    for layer in layers:
        alone = quantise(graph, ranges, only=(layer.name,), activations=activations)
        found.append(LayerError(layer.name, _error(expected, _outputs(alone, inputs))))
    return tuple(sorted(found, key=lambda one: -one.error))


def _outputs(graph: bytes, inputs: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    runtime = OnnxRuntime(graph)
    try:
        return [runtime.run(batch) for batch in inputs]
    finally:
        runtime.close()


def _error(expected: Sequence[Mapping[str, np.ndarray]], got: Sequence[Mapping[str, np.ndarray]]) -> float:
    worst = 0.0
    for name in expected[0]:
        changed = sum(float(np.square(b[name] - a[name]).sum()) for a, b in zip(expected, got, strict=True))
        power = sum(float(np.square(a[name]).sum()) for a in expected)
        worst = max(worst, float(np.sqrt(changed / max(power, 1e-12))))
    return worst
