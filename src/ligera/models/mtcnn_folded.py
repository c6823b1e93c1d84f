"""A network of MTCNN rewritten for inference: pixels in, one logit out, the same answers from less work.

In: ``(B, 3, H, W)`` RGB from 0 to 255. Out: what the network returns, scores ``(B, P, 1)`` being face over background.
Three things move into the weights, exactly but for rounding: mean, scale and channel order of the input (no convolution
of these networks pads), the difference of two score logits, and, in P-Net, the slopes behind the first pooling.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ligera.models.mtcnn import ChannelSlopes, ONet, PNet, RNet
from ligera.models.retinaface import RawOutputs
from ligera.records import Preprocess

__all__ = ["Folded"]


class Folded(nn.Module):
    """``net``, copied, that reads pictures as they are instead of as ``rule`` prepares them."""

    def __init__(self, net: PNet | RNet | ONet, rule: Preprocess) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).cpu().float().eval().requires_grad_(False)
        _fold_input(self.net.layers[0], rule)
        _fold_scores(self.net.scores)
        if isinstance(net, PNet):
            conv, slopes, pool, *rest = self.net.layers
            first = SlopesAfterPooling(conv, slopes, pool)
            rest[0].weight.copy_(rest[0].weight[:, first.order])
            self.net.layers = nn.Sequential(first, *rest)

    def forward(self, pictures: Tensor) -> RawOutputs:
        return self.net(pictures)


def _fold_input(first: nn.Conv2d, rule: Preprocess) -> None:
    weight = first.weight.double() * torch.tensor(rule.scale, dtype=torch.float64)[:, None, None]
    mean = torch.tensor(rule.mean, dtype=torch.float64)[:, None, None]
    first.bias.copy_(first.bias.double() - (weight * mean).sum((1, 2, 3)))
    first.weight.copy_(weight.flip(1) if rule.channels == "bgr" else weight)


def _fold_scores(head: nn.Conv2d | nn.Linear) -> None:
    if len(head.weight) == 2:
        head.weight, head.bias = (
            nn.Parameter(values[1:] - values[:1], requires_grad=False) for values in (head.weight, head.bias)
        )


class SlopesAfterPooling(nn.Module):
    """Convolution, slopes, max pooling, with the slopes applied to what pooling leaves: a quarter of the values.

    Where a channel's slope is 0 or more, either order gives the same. A slope below 0 makes the largest of a window the
    larger of its largest value and of the slope times its least; for that the convolution also gives such channels
    times their slope. ``order`` says which channel of the original each channel is.
    """

    def __init__(self, conv: nn.Conv2d, slopes: ChannelSlopes, pool: nn.MaxPool2d) -> None:
        super().__init__()
        rising, falling = (torch.nonzero(mask)[:, 0] for mask in (slopes.weight >= 0, slopes.weight < 0))
        self.order = torch.cat([rising, falling])
        self.rising = len(rising)
        self.pool = pool
        self.slopes = ChannelSlopes(len(rising))
        self.slopes.weight = nn.Parameter(slopes.weight[rising], requires_grad=False)
        times = slopes.weight[falling]
        self.conv = nn.Conv2d(conv.in_channels, len(self.order) + len(falling), conv.kernel_size)
        self.conv.requires_grad_(False)
        self.conv.weight.copy_(torch.cat([conv.weight[self.order], conv.weight[falling] * times[:, None, None, None]]))
        self.conv.bias.copy_(torch.cat([conv.bias[self.order], conv.bias[falling] * times]))

    def forward(self, pictures: Tensor) -> Tensor:
        pooled = self.pool(self.conv(pictures))
        if self.rising == pooled.shape[1]:
            return self.slopes(pooled)
        kept, times_slope = pooled[:, self.rising : len(self.order)], pooled[:, len(self.order) :]
        return torch.cat([self.slopes(pooled[:, : self.rising]), torch.maximum(kept, times_slope)], dim=1)
