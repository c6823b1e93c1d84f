"""VoVNet: pictures ``(B, 3, H, W)`` -> features at strides 4, 8, 16 and 32 px (paper B, 3.1.2; Lee et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ligera.models.layers import conv_bn
from ligera.models.layout_specs import VoVNetSpec

__all__ = ["OneShotAggregation", "VoVNet"]


class OneShotAggregation(nn.Module):
    """``layers`` 3x3 convolutions in a row; their outputs and the input, concatenated once, go through a 1x1 one."""

    def __init__(self, channels_in: int, width: int, layers: int, channels_out: int) -> None:
        super().__init__()
        widths = [channels_in] + [width] * layers
        self.layers = nn.ModuleList(conv_bn(n, width, 3, act="relu") for n in widths[:-1])
        self.join = conv_bn(sum(widths), channels_out, 1, act="relu")

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for layer in self.layers:
            seen.append(layer(seen[-1]))
        return self.join(torch.cat(seen, dim=1))


class VoVNet(nn.Module):
    """Network of a ``VoVNetSpec``, untrained; ``forward`` returns the features of its four stages.

    The table's 3x3/2 pooling before stages 3 to 5 is padded by 1, as all stride-2 layers here, so that cells of all
    levels lie alike; its size does not change by that.
    """

    def __init__(self, spec: VoVNetSpec) -> None:
        super().__init__()
        self.channels = spec.channels
        first, second, third = spec.stem
        self.stem = nn.Sequential(
            conv_bn(3, first, 3, 2, act="relu"),
            conv_bn(first, second, 3, act="relu"),
            conv_bn(second, third, 3, 2, act="relu"),
        )
        channels, stages = third, []
        for number, (count, width, out) in enumerate(zip(spec.modules, spec.widths, spec.channels, strict=True)):
            modules: list[nn.Module] = [nn.MaxPool2d(3, 2, 1)] if number else []
            for _ in range(count):
                modules.append(OneShotAggregation(channels, width, spec.layers, out))
                channels = out
            stages.append(nn.Sequential(*modules))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
