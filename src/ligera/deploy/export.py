"""A torch network -> one ONNX bundle, checked against the network it came from. The only deploy module with torch.

In: a module whose ``forward`` takes (B, 3, H, W) float32 and returns ``RawOutputs``, and its ``BundleCard``. Out: the
bundle on disk, with batch, height and width left open, batch norm and the input's scale folded into convolutions, and
the outputs ``boxes``, ``scores``, ``landmarks``. Nothing is written when ONNX Runtime and torch disagree.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ligera.deploy.bundle import BundleCard, write_bundle
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import MissingExtra, ModelError
from ligera.models.preprocess import prepare
from ligera.records import Preprocess

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["PARITY_TOLERANCE", "ExportReport", "export_bundle", "fold_scale", "largest_difference", "to_onnx"]

OPSET = 17
OUTPUTS = ("boxes", "scores", "landmarks")
PARITY_TOLERANCE = 1e-4
# One small square and one shape that pictures really have: a graph with a size baked in fails on the second.
PARITY_SIZES = ((96, 96), (480, 640))


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written; ``difference`` is the largest |torch - ONNX Runtime| found (see ``largest_difference``)."""

    path: Path
    card: BundleCard
    size_bytes: int
    difference: float


def export_bundle(network: nn.Module, card: BundleCard, path: Path, *, seed: int = 0) -> ExportReport:
    """Write ``network``, which reads pictures prepared by ``card.preprocess``, to ``path`` as one bundle.

    The bundle's own card may ask for less preparation than ``card``: what the graph does itself is folded into it.
    Raises ``ModelError`` when torch and ONNX Runtime differ by more than 1e-4, ``MissingExtra`` without torch or onnx.
    """
    graph, preprocess = fold_scale(to_onnx(network), card.preprocess)
    difference = largest_difference(network, card.preprocess, graph, preprocess, seed=seed)
    if not difference <= PARITY_TOLERANCE:
        raise ModelError(
            f"{path}: not written, ONNX Runtime and torch differ by {difference:.2g} (at most {PARITY_TOLERANCE:g} "
            "is allowed); the network does something that ONNX cannot say"
        )
    card = write_bundle(graph, replace(card, preprocess=preprocess), path)
    return ExportReport(path, card, path.stat().st_size, difference)


def to_onnx(network: nn.Module) -> bytes:
    """The network in eval mode as a serialised ONNX model; the network itself is as before afterwards."""
    torch = _torch()
    buffer = io.BytesIO()
    place = next(network.parameters()).device
    free = {0: "batch"}
    with _evaluating(network), warnings.catch_warnings():
        # The tracing exporter needs no package beyond onnx and folds batch norm; torch calls it legacy.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 64, 96, device=place),),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=["pictures"],
            output_names=list(OUTPUTS),
            dynamic_axes={"pictures": free | {2: "height", 3: "width"}, **{n: free | {1: "priors"} for n in OUTPUTS}},
        )
    return buffer.getvalue()


def fold_scale(graph: bytes, preprocess: Preprocess) -> tuple[bytes, Preprocess]:
    """Move the input's scale into the first convolution, so that no pixel needs a multiplication of its own.

    Exact where the mean is zero, as the padding is zero on either side of the scale; otherwise, or where anything but
    one convolution reads the input, both come back unchanged.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtra("onnx", "train", "exporting a network") from None
    if any(preprocess.mean) or set(preprocess.scale) == {1.0}:
        return graph, preprocess
    model = onnx.load_model_from_string(graph)
    readers = [node for node in model.graph.node if model.graph.input[0].name in node.input]
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    if len(readers) != 1 or readers[0].op_type != "Conv" or readers[0].input[1] not in tensors:
        return graph, preprocess
    tensor = tensors[readers[0].input[1]]
    weight = onnx.numpy_helper.to_array(tensor)
    scaled = weight * np.array(preprocess.scale, weight.dtype)[None, :, None, None]
    tensor.CopyFrom(onnx.numpy_helper.from_array(scaled, tensor.name))
    return model.SerializeToString(), replace(preprocess, scale=(1.0, 1.0, 1.0))


def largest_difference(
    network: nn.Module, network_rule: Preprocess, graph: bytes, graph_rule: Preprocess, *, seed: int = 0
) -> float:
    """The largest |torch - ONNX Runtime| over all outputs on random pictures, each prepared by its own rule.

    Where an output's largest value is beyond 1, the difference is relative to it, as float32 rounds in proportion. NaN
    where either has a NaN or the shapes differ.
    """
    runtime = OnnxRuntime(graph)
    generator = np.random.default_rng(seed)
    worst = 0.0
    for size in PARITY_SIZES:
        pixels = generator.integers(0, 256, (*size, 3), np.uint8)
        outputs = runtime.run(prepare(pixels, graph_rule)[0])
        expected = _torch_outputs(network, prepare(pixels, network_rule)[0])
        for ours, theirs in zip(expected, outputs.values(), strict=True):
            if ours.shape != theirs.shape:
                return float("nan")
            difference = np.abs(ours - theirs).max(initial=0) / np.abs(ours).max(initial=1)
            worst = float(np.maximum(worst, difference))
    return worst


def _torch_outputs(network: nn.Module, pictures: np.ndarray) -> Iterator[np.ndarray]:
    torch = _torch()
    place = next(network.parameters()).device
    with _evaluating(network), torch.no_grad():
        outputs: tuple[Tensor, ...] = network(torch.from_numpy(pictures).to(place))
    return (output.float().cpu().numpy() for output in outputs)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def _torch():  # type: ignore[no-untyped-def]
    try:
        import torch
    except ModuleNotFoundError:
        raise MissingExtra("torch", "train", "exporting a network") from None
    return torch
