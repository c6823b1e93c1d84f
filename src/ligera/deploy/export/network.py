"""A torch network -> one ONNX bundle, checked against the network it came from.

In: a module in (B, 3, H, W) float32 and its ``BundleCard``. A detector returns ``RawOutputs``, its bundle has batch,
height and width left open and the outputs ``boxes``, ``scores``, ``landmarks``; a classifier returns (B, K), its bundle
has only the batch left open and the output ``logits``. Out: the bundle on disk, batch norm and the input's scale folded
into convolutions. Nothing is written when ONNX Runtime and torch disagree.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ligera.deploy.bundle import BundleCard, write_bundle
from ligera.deploy.export.padding import PURPOSE, settle_padding
from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import MissingExtra, ModelError
from ligera.models.preprocess import prepare
from ligera.records import Preprocess

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "OUTPUTS",
    "PARITY_TOLERANCE",
    "ExportReport",
    "check_parity",
    "evaluating",
    "export_bundle",
    "export_classifier",
    "fold_scale",
    "largest_difference",
    "load_torch",
    "relative_difference",
    "to_onnx",
    "traced",
]

OPSET = 17
OUTPUTS = ("boxes", "scores", "landmarks")
PARITY_TOLERANCE = 1e-4
# One small square and one shape that pictures really have: a graph with a size baked in fails on the second.
PARITY_SIZES = ((96, 96), (480, 640))
# A graph with the batch baked in fails on the second.
PARITY_BATCHES = (1, 3)

Batches = Iterable[tuple[np.ndarray, np.ndarray]]


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
    return _write(graph, replace(card, preprocess=preprocess), path, difference)


def export_classifier(network: nn.Module, card: BundleCard, path: Path, *, seed: int = 0) -> ExportReport:
    """The same for a network that gives logits ``(B, K)``, one for each label of its card, at the card's fixed size.

    Raises what :func:`export_bundle` does, and ``ModelError`` for a network with another number of logits.
    """
    if card.preprocess.fixed is None:
        raise ValueError("card: expected that of a classifier, with a fixed size of its input")
    sides = card.preprocess.fixed
    axes = {"pictures": {0: "batch"}, "logits": {0: "batch"}}
    graph, preprocess = fold_scale(traced(network, {"pictures": (2, 3, *sides)}, ("logits",), axes), card.preprocess)
    _check_logits(graph, card, path)
    generator = np.random.default_rng(seed)
    pictures = (generator.integers(0, 256, (count, *sides, 3), np.uint8) for count in PARITY_BATCHES)
    batches = (
        tuple(np.concatenate([prepare(pixels, rule)[0] for pixels in part]) for rule in (card.preprocess, preprocess))
        for part in pictures
    )
    return _write(graph, replace(card, preprocess=preprocess), path, _difference(network, graph, batches))


def _check_logits(graph: bytes, card: BundleCard, path: Path) -> None:
    shapes = OnnxRuntime(graph).output_shapes
    wanted = (None, len(card.labels))
    if shapes != {"logits": wanted}:
        raise ModelError(f"{path}: not written, the network gives {shapes}, its card expects logits {wanted}")


def _write(graph: bytes, card: BundleCard, path: Path, difference: float) -> ExportReport:
    check_parity(difference, path)
    card = write_bundle(graph, card, path)
    return ExportReport(path, card, path.stat().st_size, difference)


def check_parity(difference: float, path: Path) -> None:
    """Raise ``ModelError`` where torch and ONNX Runtime differ by more than 1e-4, so that nothing comes to ``path``."""
    if not difference <= PARITY_TOLERANCE:
        raise ModelError(
            f"{path}: not written, ONNX Runtime and torch differ by {difference:.2g} (at most {PARITY_TOLERANCE:g} "
            "is allowed); the network does something that ONNX cannot say"
        )


def to_onnx(network: nn.Module) -> bytes:
    """A detector in eval mode as a serialised ONNX model; the network itself is as before afterwards."""
    free = {0: "batch"}
    axes = {"pictures": free | {2: "height", 3: "width"}, **{name: free | {1: "priors"} for name in OUTPUTS}}
    return traced(network, {"pictures": (1, 3, 64, 96)}, OUTPUTS, axes)


def traced(
    network: nn.Module,
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> bytes:
    """``network`` in eval mode on zeros, ``inputs`` being their names and shapes, as a serialised ONNX model.

    ``axes`` names the sides of each input and output that stay free. Where only the batch is, padding that the network
    computes by the size of its input, as TensorFlow pads and timm imitates, becomes numbers, as no runtime fuses
    through it. Raises ``MissingExtra`` without torch or onnx.
    """
    torch = load_torch()
    # the exporter wants it only at its very end, and says so in words of its own
    load_onnx(PURPOSE)
    buffer = io.BytesIO()
    place = next((parameter.device for parameter in network.parameters()), "cpu")
    with evaluating(network), warnings.catch_warnings():
        # The tracing exporter needs no package beyond onnx and folds batch norm; torch calls it legacy.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            tuple(torch.zeros(shape, device=place) for shape in inputs.values()),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
        )
    return settle_padding(buffer.getvalue())


def fold_scale(graph: bytes, preprocess: Preprocess) -> tuple[bytes, Preprocess]:
    """Move the input's scale into the first convolution, so that no pixel needs a multiplication of its own.

    Exact where the mean is zero, as the padding is zero on either side of the scale; otherwise, or where anything but
    one convolution reads the input, both come back unchanged.
    """
    onnx = load_onnx(PURPOSE)
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
    generator = np.random.default_rng(seed)
    pictures = (generator.integers(0, 256, (*size, 3), np.uint8) for size in PARITY_SIZES)
    batches = ((prepare(pixels, network_rule)[0], prepare(pixels, graph_rule)[0]) for pixels in pictures)
    return _difference(network, graph, batches)


def _difference(network: nn.Module, graph: bytes, batches: Batches) -> float:
    """The same for ``batches``, each as the network and as the graph takes it."""
    runtime = OnnxRuntime(graph)
    worst = 0.0
    for for_network, for_graph in batches:
        outputs = runtime.run(for_graph)
        for ours, theirs in zip(_torch_outputs(network, for_network), outputs.values(), strict=True):
            worst = float(np.maximum(worst, relative_difference(ours, theirs)))
    return worst


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest |ours - theirs|, relative to the largest of ``ours`` where that is beyond 1; NaN for other shapes."""
    if ours.shape != theirs.shape:
        return float("nan")
    return float(np.abs(ours - theirs).max(initial=0) / np.abs(ours).max(initial=1))


def _torch_outputs(network: nn.Module, pictures: np.ndarray) -> Iterator[np.ndarray]:
    torch = load_torch()
    place = next(network.parameters()).device
    with evaluating(network), torch.no_grad():
        outputs: Tensor | tuple[Tensor, ...] = network(torch.from_numpy(pictures).to(place))
    parts = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
    return (output.float().cpu().numpy() for output in parts)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """``network`` in eval mode, afterwards in the mode it came in."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def load_torch(purpose: str = PURPOSE) -> Any:
    """The package ``torch``; ``MissingExtra`` that names the ``purpose`` without it."""
    try:
        import torch
    except ModuleNotFoundError:
        raise MissingExtra("torch", "train", purpose) from None
    return torch
