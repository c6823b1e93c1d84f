"""A backbone of named blocks: pictures ``(B, 3, H, W)`` -> features at strides 4, 8, 16 and 32 px (paper C, 3.3.3)."""

from __future__ import annotations

from torch import Tensor, nn

from ligera.models.blocks import Shortcut, build_block
from ligera.models.layers import conv_bn
from ligera.models.names import BlockSpec, expand
from ligera.models.specs import Activation, BackboneSpec

__all__ = ["BackboneSpec", "StagedBackbone"]


def _shortcut(block: BlockSpec, channels_in: int, first: bool, spec: BackboneSpec) -> Shortcut:
    if first:
        if spec.shortcut == "none":
            return "None"
        return "1x1_Conv_Pool" if block.stride == 2 else "1x1_Conv"
    keeps_shape = block.stride == 1 and block.channels_out == channels_in
    return "Identity" if spec.identity and keeps_shape else "None"


def _stage(blocks: tuple[BlockSpec, ...], channels: int, act: Activation, spec: BackboneSpec) -> nn.Sequential:
    modules = []
    for place, block in enumerate(blocks):
        modules.append(build_block(block, channels, act, _shortcut(block, channels, place == 0, spec)))
        channels = block.channels_out
    return nn.Sequential(*modules)


class StagedBackbone(nn.Module):
    """Network of a ``BackboneSpec``; ``forward`` returns the four stages' features, the last through ``last``."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        # a tuple, whose modules are not registered a second time
        self._frozen: tuple[nn.Module, ...] = ()
        self.channels = spec.channels
        self.stem = conv_bn(3, spec.first_channels, 3, 2, act=spec.early)
        channels = spec.first_channels
        prestage: list[nn.Module] = []
        for block in expand(spec.prestage):
            prestage.append(build_block(block, channels, spec.early))
            channels = block.channels_out
        self.prestage = nn.Sequential(*prestage)
        self.pool = nn.MaxPool2d(3, 2, 1) if spec.maxpool else nn.Identity()
        stages = []
        for number, blocks in enumerate(spec.stage_blocks(), 1):
            stages.append(_stage(blocks, channels, spec.early if number < 3 else spec.late, spec))
            channels = blocks[-1].channels_out
        self.stages = nn.ModuleList(stages)
        self.last = conv_bn(channels, spec.last_channels, 1, act=spec.late) if spec.last_channels else nn.Identity()

    def freeze(self, stages: int) -> None:
        """Train stem, pre-stage and the first ``stages`` stages no further; their norms keep their statistics."""
        self._frozen = (self.stem, self.prestage, *self.stages[:stages]) if stages else ()
        for module in self._frozen:
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> StagedBackbone:
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.pool(self.prestage(self.stem(x)))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        features[-1] = self.last(x)
        return features
