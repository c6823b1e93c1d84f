"""The torch network of a bundle, run as any other runtime: the reference that engines are timed and judged against.

In: a built-in detector's bundle, or a recogniser's base and head. Out: :class:`TorchReference`, torch in eager mode on
the CPU. Exporting folds batch norm into convolutions, so a bundle's weights go back into convolutions and the norms
behind them pass on what they get; the network does what it did in training, and its answers are checked against ONNX
Runtime's before anybody times it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ligera.deploy.export.network import OUTPUTS, load_torch, relative_difference
from ligera.deploy.onnx_package import load_onnx
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime, inspect_onnx
from ligera.deploy.runtimes.threads import default_threads
from ligera.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

    from ligera.train.recognition.bases import Base

__all__ = ["TorchReference", "detector_network", "recognition_network"]

# of outputs in the order of one; rounding alone
TOLERANCE = 1e-3
PURPOSE = "running the torch reference"


class TorchReference:
    """``network`` in torch, eager, as a runtime; ``bundle`` is the file that says what it is."""

    name = "torch"
    device = "cpu"

    def __init__(self, network: nn.Module, bundle: Path, *, threads: int | None = None) -> None:
        self._torch = load_torch(PURPOSE)
        facts = inspect_onnx(bundle)
        self.metadata: Mapping[str, str] = facts.metadata
        self.input_shape, self.output_shapes = facts.input_shape, facts.output_shapes
        self.threads = threads or default_threads()
        self._torch.set_num_threads(self.threads)
        self._network = network.eval()

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs of one batch by name; ``ModelError`` where the network takes no batch of this shape."""
        self.put(batch)
        self.execute()
        return self.take()

    def put(self, batch: np.ndarray) -> None:
        """Take ``batch`` as the next input, without a copy."""
        self._batch = self._torch.from_numpy(np.ascontiguousarray(batch))

    def execute(self) -> None:
        """Run the network on what was put there."""
        try:
            with self._torch.inference_mode():
                found = self._network(self._batch)
        except RuntimeError as error:
            reason = (str(error).splitlines() or [""])[0][:200]
            raise ModelError(
                f"the network cannot run a {self._batch.dtype} input of shape {tuple(self._batch.shape)} ({reason})"
            ) from None
        self._found = found if isinstance(found, tuple) else (found,)

    def take(self) -> dict[str, np.ndarray]:
        """The outputs, without a copy."""
        return {name: part.numpy() for name, part in zip(self.output_shapes, self._found, strict=True)}

    def close(self) -> None:
        """Free the network; it cannot run afterwards."""
        del self._network


def detector_network(name: str, bundle: Path) -> nn.Module:
    """The detector ``name`` of the catalogue with the weights of ``bundle``, exported from such a network.

    Raises ``ModelError`` for a bundle of another network, ``MissingExtra`` without torch or onnx.
    """
    from ligera.models.catalogue import build

    torch = load_torch(PURPOSE)
    network = build(name).eval()
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 96, 128)).astype(np.float32))
    _load(network, _convolutions(bundle), pictures, bundle)
    with torch.inference_mode():
        found = network(pictures)
    expected = OnnxRuntime(bundle, threads=1).run(pictures.numpy())
    for key, values in zip(OUTPUTS, found, strict=True):
        difference = relative_difference(expected[key], values.numpy())
        if not difference <= TOLERANCE:
            raise ModelError(
                f"{bundle}: torch and ONNX Runtime differ by {difference:.2g} in {key}; not that of {name}"
            )
    return network


def recognition_network(base: Base, weight: np.ndarray, bias: np.ndarray) -> nn.Module:
    """``base`` with a linear head ``weight (K, F)``, ``bias (K,)`` on its features: pictures to logits ``(B, K)``."""
    torch = load_torch(PURPOSE)
    head = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))
    return torch.nn.Sequential(base.network, head).eval()


def _convolutions(bundle: Path) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Weight and bias of each convolution, in the order in which they run."""
    onnx = load_onnx("reading weights out of a bundle")
    graph = onnx.load(str(bundle), load_external_data=False).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor).copy() for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    return [(stored[n.input[1]], stored[n.input[2]] if len(n.input) > 2 else None) for n in nodes]


def _load(network: nn.Module, stored: list[tuple[np.ndarray, np.ndarray | None]], pictures: Any, bundle: Path) -> None:
    """Put ``stored`` into the convolutions of ``network``, in the order in which they run on ``pictures``."""
    torch = load_torch(PURPOSE)
    ran: list[Any] = []
    kinds = (torch.nn.Conv2d, torch.nn.BatchNorm2d)
    hooks = [
        module.register_forward_pre_hook(lambda module, _: ran.append(module))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    with torch.inference_mode():
        network(pictures)
    for hook in hooks:
        hook.remove()
    convolutions = [(place, module) for place, module in enumerate(ran) if isinstance(module, kinds[0])]
    shapes = [tuple(module.weight.shape) for _, module in convolutions]
    if shapes != [weight.shape for weight, _ in stored]:
        raise ModelError(f"{bundle}: its convolutions are not those of the network that it is to be read into")
    with torch.no_grad():
        for (place, module), (weight, bias) in zip(convolutions, stored, strict=True):
            after = ran[place + 1] if place + 1 < len(ran) else None
            module.weight.copy_(torch.from_numpy(weight))
            values = torch.zeros(len(weight)) if bias is None else torch.from_numpy(bias)
            if isinstance(after, kinds[1]):
                after.running_mean.zero_()
                after.running_var.fill_(1 - after.eps)
                after.weight.fill_(1)
                after.bias.copy_(values)
            elif module.bias is not None:
                module.bias.copy_(values)
