"""In which precision each layer of a network really runs, and how long: asked of the runtime, not of the file.

In: a model, a runtime, a picture. Out: a :class:`LayerAudit`. A runtime joins layers, leaves some in float that the
file quantised, and converts between the two where it must; the audit lists what was executed, conversions included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.classifying.inputs import network_input
from ligera.deploy.loading import load_model
from ligera.deploy.quantization.source import find_bundle
from ligera.deploy.runtimes import Runtime
from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.detector import Detector

__all__ = ["RUNS", "LayerAudit", "LayerRun", "audit_layers"]

RUNS = 20
# name, kind, precision, ms
Row = tuple[str, str, str, float]
WEIGHTED = ("conv", "gemm", "matmul", "fullyconnected")


@dataclass(frozen=True, slots=True)
class LayerRun:
    """One step as executed: ``kind`` by the runtime's own word, ``precision`` of what it computes with, the median of
    its times in ms."""

    name: str
    kind: str
    precision: str
    time_ms: float

    @property
    def has_weights(self) -> bool:
        return any(word in self.kind.lower().replace("_", "") for word in WEIGHTED)


@dataclass(frozen=True, slots=True)
class LayerAudit:
    """All steps of one run of ``model``'s network on a batch of ``shape``, in the order in which they ran."""

    model: str
    runtime: str
    device: str
    threads: int
    shape: tuple[int, ...]
    layers: tuple[LayerRun, ...]

    @property
    def time_ms(self) -> float:
        return sum(layer.time_ms for layer in self.layers)

    def shares(self) -> dict[str, float]:
        """The part of the time, 0 to 1, that goes into each precision, largest first."""
        sums: dict[str, float] = defaultdict(float)
        for layer in self.layers:
            sums[layer.precision] += layer.time_ms
        whole = self.time_ms or 1.0
        return {name: value / whole for name, value in sorted(sums.items(), key=lambda one: -one[1])}

    def weighted(self) -> dict[str, int]:
        """How many layers with weights ran in each precision."""
        counts: dict[str, int] = defaultdict(int)
        for layer in self.layers:
            if layer.has_weights:
                counts[layer.precision] += 1
        return dict(counts)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        plain = asdict(self) | {"shape": list(self.shape), "layers": [asdict(layer) for layer in self.layers]}
        return plain | {"time_ms": self.time_ms, "shares": self.shares(), "weighted": self.weighted()}


def audit_layers(
    model: str, pixels: np.ndarray, *, runtime: str = "onnxruntime", threads: int | None = None
) -> LayerAudit:
    """Run the network of ``model``, a bundle, as it runs for the picture ``pixels`` (H, W, 3), and list its steps.

    Raises ``UsageError`` for another maker's detector or a runtime that does not say, ``ModelError`` for a file that is
    no bundle.
    """
    path = find_bundle(model)
    if path is None:
        raise UsageError(f"{model}: is no bundle; layers can be listed of built-in models and .onnx bundles")
    if runtime not in PROFILERS:
        raise UsageError(f"{runtime}: does not say how it runs layers; these do: {', '.join(PROFILERS)}")
    with load_model(path, threads=threads, runtime=runtime) as loaded:
        batch, network = _first_batch(loaded, pixels)
        device, used = network.device, network.threads
    rows = PROFILERS[runtime](path, batch, used)
    layers = tuple(LayerRun(*row) for row in rows)
    return LayerAudit(model, runtime, device, used, batch.shape, layers)


def _first_batch(loaded: Detector | Classifier, pixels: np.ndarray) -> tuple[np.ndarray, Runtime]:
    """What the network is given for a picture, and who runs it.

    Of a cascade or a layout detector that is the part which sees the picture itself. One that recognises faces gets the
    whole picture in place of a face, which may not be there.
    """
    if isinstance(loaded, Classifier):
        return network_input(pixels, loaded.card.preprocess), loaded.runtime
    batches: list[np.ndarray] = []
    engine: Any = loaded.engine
    network = engine.runtime
    engine.runtime = _Watched(network, batches)
    loaded.detect(pixels)
    return batches[0], network


class _Watched:
    """A runtime that keeps the batches it is given."""

    def __init__(self, runtime: Runtime, batches: list[np.ndarray]) -> None:
        self._runtime, self._batches = runtime, batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self._batches.append(batch)
        return self._runtime.run(batch)


def _of_onnxruntime(path: Path, batch: np.ndarray, threads: int) -> list[Row]:
    from ligera.deploy.runtimes.onnxruntime import profile

    return profile(path, batch, threads=threads, runs=RUNS)


def _of_openvino(path: Path, batch: np.ndarray, threads: int) -> list[Row]:
    from ligera.deploy.runtimes.openvino import profile

    return profile(path, batch, threads=threads, runs=RUNS)


def _of_tensorrt(path: Path, batch: np.ndarray, threads: int) -> list[Row]:
    from ligera.deploy.runtimes.tensorrt import profile

    return profile(path, batch, threads=threads, runs=RUNS)


PROFILERS: Mapping[str, Callable[[Path, np.ndarray, int], list[Row]]] = {
    "onnxruntime": _of_onnxruntime,
    "openvino": _of_openvino,
    "tensorrt": _of_tensorrt,
}
