"""Weights of a RetinaFace mobilenet0.25 that others exported to ONNX, batch norm folded -> our RetinaFace-mobile0.25.

The map goes by the order of the graph's convolutions, because folded weights have only numbers for names:

    their convolutions                                ours
    0..26    backbone: stem, then depthwise and       backbone.stem, prestage, stages, in order
             pointwise of 13 MobileNetV1 blocks
    27..29   lateral 1x1 of strides 8, 16, 32         pyramid.lateral 0..2
    30, 31   merge 3x3 of stride 16, then of 8        pyramid.merge 1, then 0
    32..46   per level: 3x3; first, second of 5x5;    context 0..2: branch3, shared, branch5, branch7.0, branch7.1
             second, third of 7x7
    47..49   boxes, 2 priors x 4 per level            heads 0..2: of each prior's 16 channels 0..3
    50..52   background and face, 2 x 2               channels 4..5
    53..55   landmarks, 2 x 10                        channels 6..15

A folded convolution is weight and bias: the weight goes into ours, the bias into the batch norm behind it, whose mean
becomes 0 and variance 1. Feed the result ``PREPROCESS``; scores are logits, theirs are after the softmax.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ligera.errors import MissingExtra, ModelError
from ligera.models.catalogue import build
from ligera.records import Preprocess

if TYPE_CHECKING:
    from torch import nn

    from ligera.models.retinaface import RetinaFace

__all__ = ["PREPROCESS", "retinaface_from_onnx"]

PREPROCESS = Preprocess(mean=(104.0, 117.0, 123.0), channels="bgr")
"""What these weights were trained on: BGR pixels minus the mean of ImageNet's, unscaled."""

Folded = tuple[np.ndarray, np.ndarray]

_LEVELS = 3
_CONVOLUTIONS = 56


def _read(path: Path) -> list[Folded]:
    """Weight and bias of each convolution, in the graph's order."""
    try:
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError:
        raise MissingExtra("onnx", "train", "reading weights out of an ONNX file") from None
    try:
        # external data could name any file of this machine, so it is not followed
        graph = onnx.load(str(path), load_external_data=False).graph
        stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return [(stored[n.input[1]], stored[n.input[2]]) for n in graph.node if n.op_type == "Conv"]
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; give the ONNX file of a RetinaFace mobilenet0.25") from None
    except Exception as error:
        # protobuf, onnx and numpy each raise their own kinds for a damaged file
        reason = (str(error).splitlines() or [""])[0][:120]
        raise ModelError(
            f"{path}: not an ONNX file with folded convolutions ({type(error).__name__}: {reason})"
        ) from None


def _normalised(part: nn.Module) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Every convolution of ``part`` with its batch norm, in the order they were registered."""
    from torch import nn

    layers = [m for m in part.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    return list(zip(layers[::2], layers[1::2], strict=True))


def _ours(net: RetinaFace) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and batch norms in the order of the map above."""
    pairs = _normalised(net.backbone) + _normalised(net.pyramid.lateral)
    for merge in reversed(net.pyramid.merge):
        pairs += _normalised(merge)
    return pairs + _normalised(net.context)


def _join(parts: list[Folded], path: Path) -> Folded:
    """Box, score and landmark heads of one level as one head, channels prior by prior."""
    priors = 2
    shapes = [weight.shape for weight, _ in parts]
    expected = [(priors * width, *shapes[0][1:]) for width in (4, 2, 10)]
    if shapes != expected:
        raise ModelError(f"{path}: box, score and landmark heads are {shapes}, expected {expected}")
    weight = np.concatenate([w.reshape(priors, -1, *w.shape[1:]) for w, _ in parts], axis=1)
    bias = np.concatenate([b.reshape(priors, -1) for _, b in parts], axis=1)
    return weight.reshape(-1, *weight.shape[2:]), bias.reshape(-1)


def _fill(target: nn.Parameter, values: np.ndarray, path: Path, place: int) -> None:
    import torch

    if tuple(target.shape) != values.shape:
        ours = tuple(target.shape)
        raise ModelError(f"{path}: convolution {place} is {values.shape}, RetinaFace mobilenet0.25 has {ours} there")
    with torch.no_grad():
        target.copy_(torch.tensor(values))


def retinaface_from_onnx(path: str | Path) -> RetinaFace:
    """The network with the weights in ``path``, in eval mode. ``ModelError`` for any other or damaged file."""
    path = Path(path)
    folded = _read(path)
    if len(folded) != _CONVOLUTIONS:
        raise ModelError(f"{path}: {len(folded)} convolutions, RetinaFace mobilenet0.25 has {_CONVOLUTIONS}")
    net = build("RetinaFace-mobile0.25").eval()
    pairs = _ours(net)
    for place, ((conv, norm), (weight, bias)) in enumerate(zip(pairs, folded, strict=False)):
        _fill(conv.weight, weight, path, place)
        _fill(norm.bias, bias, path, place)
        norm.weight.data.fill_(1.0)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)
    heads = folded[len(pairs) :]
    for level, head in enumerate(net.heads):
        weight, bias = _join(heads[level::_LEVELS], path)
        _fill(head.weight, weight, path, len(pairs) + level)
        _fill(head.bias, bias, path, len(pairs) + level)
    return net
