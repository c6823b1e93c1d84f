"""ResNet-50 as a backbone: pictures ``(B, 3, H, W)`` -> features at strides 4, 8, 16 and 32 px (He et al. 2016)."""

from __future__ import annotations

from torch import Tensor, nn

from ligera.errors import MissingExtra

__all__ = ["ResNet50"]


class ResNet50(nn.Module):
    """torchvision's ResNet-50 without classifier, untrained; modules keep torchvision's names, so its weights load."""

    channels = (256, 512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        try:
            from torchvision.models import resnet50
        except ModuleNotFoundError:
            raise MissingExtra("torchvision", "train", "the ResNet-50 backbone") from None
        net = resnet50(weights=None)
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            self.add_module(name, getattr(net, name))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        features = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return features
