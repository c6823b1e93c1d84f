"""A base that comes with the package: the first layers of the built-in face detector, beside gradient directions.

In: pictures ``(B, 3, S, S)``, 0 to 255. Out: ``(B, C, S / 8, S / 8)``, what the detector's last layer of stride 8 says
of each cell of 8 px, before its pyramid, and the gradient directions there. The detector was trained to find faces and
their landmarks, not to tell them apart; what it learnt of eyes, noses and mouths is of use for that too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import ligera.models
from ligera.errors import MissingExtra, ModelError
from ligera.train.recognition.gradients import Gradients

__all__ = ["DETECTOR", "DetectorCells", "DetectorLayers"]

DETECTOR = "face"
STRIDE = 8


class DetectorLayers(nn.Module):
    """The layers of the detector in the ONNX file ``path`` up to the one that leaves ``STRIDE``, as torch's own.

    Raises ``ModelError`` for a file with other layers than such a detector's, ``MissingExtra`` without onnx.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        onnx = _onnx()
        graph = onnx.load(path).graph
        values = {
            tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer
        }
        self.input = graph.input[0].name
        self.steps: list[tuple[str, tuple[str, ...], str]] = []
        self.layers = nn.ModuleDict()
        strides = {self.input: 1}
        for node in graph.node:
            options = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
            stride = strides.get(node.input[0], 0) * max(options.get("strides", [1]))
            if stride > STRIDE:
                self.output = node.input[0]
                break
            self._add(node, options, values, path)
            strides[node.output[0]] = stride
        else:
            raise ModelError(f"{path}: has no layers of stride {2 * STRIDE}, expected a face detector's")
        if strides[self.output] != STRIDE:
            raise ModelError(f"{path}: has no layers of stride {STRIDE}, expected a face detector's")

    def _add(self, node: Any, options: dict[str, Any], values: dict[str, Tensor], path: Path) -> None:
        name = str(len(self.steps))
        taken = tuple(entry for entry in node.input if entry not in values)
        if node.op_type == "Conv" and len(taken) == 1:
            self.layers[name] = _convolution([values[entry] for entry in node.input[1:]], options)
        elif node.op_type == "LeakyRelu":
            self.layers[name] = nn.LeakyReLU(options.get("alpha", 0.01))
        elif node.op_type == "Relu":
            self.layers[name] = nn.ReLU()
        elif node.op_type != "Add" or len(taken) != 2:
            raise ModelError(f"{path}: its layer {node.op_type} is none of a face detector's that can be a base")
        self.steps.append((name, taken, node.output[0]))

    def forward(self, pictures: Tensor) -> Tensor:
        known = {self.input: pictures}
        for name, taken, given in self.steps:
            inputs = [known[entry] for entry in taken]
            known[given] = self.layers[name](*inputs) if name in self.layers else inputs[0] + inputs[1]
        return known[self.output]


class DetectorCells(nn.Module):
    """Both kinds of cells, one after the other; nothing in it is trained further."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = DetectorLayers(Path(ligera.models.__path__[0]) / "weights" / f"{DETECTOR}.onnx")
        self.gradients = Gradients()

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.cat([self.layers(pictures), self.gradients(pictures)], 1)


class _Padded(nn.Module):
    """A convolution with zeros around that are not the same on opposite sides."""

    def __init__(self, layer: nn.Conv2d, sides: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.layer, self.sides = layer, sides

    def forward(self, maps: Tensor) -> Tensor:
        return self.layer(functional.pad(maps, self.sides))


def _convolution(tensors: list[Tensor], options: dict[str, Any]) -> nn.Module:
    weight, groups = tensors[0], options.get("group", 1)
    top, left, bottom, right = options.get("pads", [0] * 4)
    layer = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        tuple(options.get("strides", [1, 1])),
        dilation=tuple(options.get("dilations", [1, 1])),
        groups=groups,
        bias=len(tensors) > 1,
    )
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None:
            layer.bias.copy_(tensors[1])
    return _Padded(layer, (left, right, top, bottom)) if any((top, left, bottom, right)) else layer


def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtra("onnx", "train", "enrolling a person") from None
    return onnx
