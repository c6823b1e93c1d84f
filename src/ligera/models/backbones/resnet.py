"""Bottleneck ResNets: pictures ``(B, 3, H, W)`` -> features at strides 4, 8, 16 and 32 px (He et al. 2016).

The variants of paper B (3.1.1, table 3.1) differ in depth and stem. Stages are torchvision's and keep its names, as
does stem A, so that weights made for torchvision load where the topologies agree. The paper does not say where the
stride of a stage stands; here, as in torchvision, it is in the 3x3 convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

from ligera.errors import MissingExtra
from ligera.models.layers import conv_bn
from ligera.models.layout_specs import ResNetSpec

__all__ = ["ResNet", "ResNet50"]


class ResNet(nn.Module):
    """Network of a ``ResNetSpec``, untrained; ``forward`` returns the features of its four stages."""

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        try:
            from torchvision.models.resnet import Bottleneck
            from torchvision.models.resnet import ResNet as Trunk
        except ModuleNotFoundError:
            raise MissingExtra("torchvision", "train", "a ResNet backbone") from None
        self.channels = spec.channels
        net = Trunk(Bottleneck, list(spec.blocks))
        if spec.stem in ("A", "C"):
            self.conv1, self.bn1 = net.conv1, net.bn1
        if spec.stem in ("B", "C"):
            self.deep = nn.Sequential(
                conv_bn(3, 64, 3, 2, act="relu"), conv_bn(64, 64, 3, act="relu"), conv_bn(64, 64, 3, act="relu")
            )
        self.stem = spec.stem
        self.relu = net.relu
        # padding is no colour: it must not darken the average at the border
        self.pool = net.maxpool if spec.pool == "max" else nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.stages(self.pool(self._stem(x)))

    def stages(self, x: Tensor) -> list[Tensor]:
        """What follows the stem's pooling: ``(B, 64, H / 4, W / 4)`` -> the four features."""
        features = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return features

    def _stem(self, x: Tensor) -> Tensor:
        if self.stem == "B":
            return self.deep(x)
        wide = self.relu(self.bn1(self.conv1(x)))
        return wide if self.stem == "A" else wide + self.deep(x)


class ResNet50(ResNet):
    """ResNet-50 of He et al. 2016, with maximum pooling: RetinaFace's."""

    def __init__(self) -> None:
        super().__init__(ResNetSpec((3, 4, 6, 3), pool="max"))
