"""The smallest pieces of every network here: an activation by its name; convolution, batch norm and activation."""

from __future__ import annotations

from torch import nn

from ligera.models.specs import Activation

LEAKY_SLOPE = 0.1


def activation(name: Activation) -> nn.Module:
    """A new activation module; LeakyReLU has slope 0.1 (paper C and RetinaFace's mobile nets)."""
    if name == "relu":
        return nn.ReLU(inplace=True)
    if name == "leaky_relu":
        return nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
    if name == "hardswish":
        return nn.Hardswish()
    raise ValueError(f"activation: expected relu, leaky_relu or hardswish, got {name!r}")


def conv_bn(
    channels_in: int,
    channels_out: int,
    kernel: int = 3,
    stride: int = 1,
    *,
    groups: int = 1,
    act: Activation | None = None,
) -> nn.Sequential:
    """Convolution without bias, its output of ``ceil(side / stride)``, batch norm, and ``act`` where it is given."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    if groups > 1:
        # fan_out ignores groups: a depthwise output sees kernel * kernel weights, not channels_out times as many
        conv.weight.data.mul_(groups**0.5)
    layers = [conv, nn.BatchNorm2d(channels_out)]
    return nn.Sequential(*layers, *([activation(act)] if act else []))
