"""The networks as they are trained: all three learn landmarks, though only O-Net's are ever asked for.

Zhang et al. 2016 train one loss of three terms everywhere: where the mouth is helps to say whether it is a face. P- and
R-Net get a head for it here, which ``shipped`` takes off again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ligera.models.cascade import STAGE_SIDES_PX
from ligera.models.mtcnn import ChannelSlopes, ONet, PNet, RNet
from ligera.models.retinaface import RawOutputs
from ligera.records import Preprocess
from ligera.train.mtcnn.recipe import NETS

PREPROCESS = Preprocess(mean=(127.5,) * 3, scale=(1 / 128,) * 3, multiple=1)
"""What networks see of pixels, as Zhang et al. scale them; a bundle holds it in its weights."""


class QuickSlopes(ChannelSlopes):
    """``ChannelSlopes`` in terms whose gradients are quick on a CPU: O-Net learns 1.2 times as many crops a second with
    them, in bfloat16 1.8 times."""

    def forward(self, values: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            return super().forward(values)
        slopes = self.weight.view(1, -1, *[1] * (values.dim() - 2)).to(values.dtype)
        return values.relu() - slopes * (-values).relu()


class WithLandmarks(nn.Module):
    """``net`` and a head for ``(B, P, 10)`` landmarks beside its own two."""

    def __init__(self, net: PNet | RNet) -> None:
        super().__init__()
        self.net = net
        self.landmarks = nn.Conv2d(32, 10, 1) if isinstance(net, PNet) else nn.Linear(128, 10)

    def forward(self, crops: Tensor) -> RawOutputs:
        seen = self.net.layers(crops)
        return RawOutputs(*(_rows(head(seen)) for head in (self.net.boxes, self.net.scores, self.landmarks)))


def _rows(answers: Tensor) -> Tensor:
    """``(B, C)`` or ``(B, C, H, W)`` -> ``(B, P, C)``."""
    return answers.flatten(2).transpose(1, 2) if answers.dim() == 4 else answers[:, None]


def trained_net(name: str) -> WithLandmarks | ONet:
    """The network called ``name`` with random weights: PReLU slopes 0.25, weights after He et al. 2015, biases 0."""
    network = ONet() if name == "o-net" else WithLandmarks(PNet() if name == "p-net" else RNet())
    layers = shipped(network).layers
    for place, layer in enumerate(layers):
        if isinstance(layer, ChannelSlopes):
            layers[place] = QuickSlopes(layer.num_parameters)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, a=0.25)
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        for head in (shipped(network).scores, shipped(network).boxes, network.landmarks):
            head.weight.mul_(0.1)  # all terms start where they would with no crop seen, none of them at a hundred
    return network


def shipped(network: nn.Module) -> PNet | RNet | ONet:
    """What of a trained network goes into a cascade."""
    return network.net if isinstance(network, WithLandmarks) else network  # type: ignore[return-value]


def stage_of(name: str) -> int:
    """0, 1 or 2."""
    return NETS.index(name)


def side_px_of(name: str) -> int:
    """What ``name`` looks at."""
    return STAGE_SIDES_PX[stage_of(name)]
