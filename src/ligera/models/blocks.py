"""The block family of paper C (3.3.1 and 3.3.2): ``BlockSpec`` -> module, ``(B, C, H, W)`` -> ``(B, C', H', W')``.

Every convolution is followed by batch norm and an activation; the shortcut is added before the block's last activation.
MBV2 ends linearly, as in MobileNetV2, so nothing follows its sum. DK halves the channels in its 1x1 convolution, as
DarkNet does.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from ligera.errors import ModelError
from ligera.models.layers import activation, conv_bn
from ligera.models.names import Attention, BlockSpec
from ligera.models.specs import Activation

__all__ = ["Block", "EffectiveSqueezeExcite", "Shortcut", "SqueezeExcite", "build_block"]

Shortcut = Literal["Identity", "1x1_Conv", "1x1_Conv_Pool", "None"]


class SqueezeExcite(nn.Module):
    """SE (Hu et al. 2018): each channel scaled by a gate in 0..1, which two layers read from all channels' means."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        squeezed = max(4, channels // reduction)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class EffectiveSqueezeExcite(nn.Module):
    """eSE (Lee & Park 2020): one layer without squeezing, then a hard sigmoid gate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def _attention(kind: Attention | None, channels: int, reduction: int = 4) -> list[nn.Module]:
    if kind is None:
        return []
    return [SqueezeExcite(channels, reduction) if kind == "SE" else EffectiveSqueezeExcite(channels)]


def _body(spec: BlockSpec, channels_in: int, act: Activation) -> nn.Sequential:
    """The block's convolutions, the last without its activation, with SE or eSE where 3.3.1.3 puts it."""
    out, kernel, stride = spec.channels_out, spec.kernel, spec.stride
    if spec.kind == "MBV1":
        first = conv_bn(channels_in, channels_in, kernel, stride, groups=channels_in, act=act)
        return nn.Sequential(first, *_attention(spec.attention, channels_in), conv_bn(channels_in, out, 1))
    if spec.kind == "MBV2":
        wide = channels_in * spec.expansion
        depthwise = conv_bn(wide, wide, kernel, stride, groups=wide, act=act)
        widen = conv_bn(channels_in, wide, 1, act=act)
        return nn.Sequential(widen, depthwise, *_attention(spec.attention, wide), conv_bn(wide, out, 1))
    if spec.kind == "BL":
        narrow = out // spec.expansion
        middle = conv_bn(narrow, narrow, kernel, stride, act=act)
        squeeze = conv_bn(channels_in, narrow, 1, act=act)
        # 8 in bottlenecks, 4 elsewhere: TResNet's choice (Ridnik et al. 2020), which paper C follows
        return nn.Sequential(squeeze, middle, *_attention(spec.attention, narrow, 8), conv_bn(narrow, out, 1))
    if spec.kind == "KK" and not spec.mid:
        first = conv_bn(channels_in, out, kernel, stride, act=act)
        return nn.Sequential(first, conv_bn(out, out, kernel), *_attention(spec.attention, out))
    if spec.kind == "DK" and stride == 1:
        half = max(1, out // 2)
        first = conv_bn(channels_in, half, 1, act=act)
        return nn.Sequential(first, conv_bn(half, out, kernel), *_attention(spec.attention, out))
    return nn.Sequential(conv_bn(channels_in, out, kernel, stride))


def _shortcut(kind: Shortcut, spec: BlockSpec, channels_in: int) -> nn.Module | None:
    if kind == "None":
        return None
    if kind == "Identity":
        if spec.stride != 1 or channels_in != spec.channels_out:
            raise ModelError(f"block {spec}: an Identity shortcut needs stride 1 and {spec.channels_out} channels in")
        return nn.Identity()
    if (kind == "1x1_Conv_Pool") != (spec.stride == 2):
        raise ModelError(f"block {spec}: a 1x1_Conv shortcut is for stride 1, 1x1_Conv_Pool for stride 2")
    pool = [nn.AvgPool2d(2, 2)] if kind == "1x1_Conv_Pool" else []
    return nn.Sequential(*pool, conv_bn(channels_in, spec.channels_out, 1))


class Block(nn.Module):
    """One basic block and its shortcut: ``act(body(x) + shortcut(x))``."""

    def __init__(self, spec: BlockSpec, channels_in: int, act: Activation, shortcut: Shortcut = "None") -> None:
        super().__init__()
        self.body = _body(spec, channels_in, act)
        self.shortcut = _shortcut(shortcut, spec, channels_in)
        self.act = nn.Identity() if spec.kind == "MBV2" else activation(act)

    def forward(self, x: Tensor) -> Tensor:
        out = self.body(x)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return self.act(out)


def build_block(spec: BlockSpec, channels_in: int, act: Activation, shortcut: Shortcut = "None") -> nn.Module:
    """The module of ``spec`` behind ``channels_in`` channels; ``ModelError`` where it or its shortcut cannot stand."""
    spec.check_input(channels_in)
    if spec.kind == "Zero":
        return nn.Identity()
    return Block(spec, channels_in, act, shortcut)
