"""Context modules: one pyramid level ``(B, C, H, W)`` -> the same shape, seen with a wider receptive field."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ligera.models.layers import conv_bn
from ligera.models.specs import Activation


class Ssh(nn.Module):
    """SSH's context (Najibi et al. 2017): 3x3, 5x5 and 7x7 branches, the larger ones as chains of 3x3, side by side.

    Half the channels come from the 3x3 branch, a quarter from each other one; the result ends in a ReLU.
    """

    def __init__(self, channels: int, act: Activation) -> None:
        super().__init__()
        quarter = channels // 4
        self.branch3 = conv_bn(channels, channels - 2 * quarter)
        self.shared = conv_bn(channels, quarter, act=act)
        self.branch5 = conv_bn(quarter, quarter)
        self.branch7 = nn.Sequential(conv_bn(quarter, quarter, act=act), conv_bn(quarter, quarter))

    def forward(self, x: Tensor) -> Tensor:
        shared = self.shared(x)
        return functional.relu(torch.cat([self.branch3(x), self.branch5(shared), self.branch7(shared)], dim=1))


def context(kind: str, channels: int, act: Activation) -> nn.Module:
    """A new context module: ``ssh``, ``conv`` (one 3x3 convolution) or ``none``."""
    if kind == "ssh":
        return Ssh(channels, act)
    return conv_bn(channels, channels, 3, act=act) if kind == "conv" else nn.Identity()
