"""Feature pyramid (Lin et al. 2017, in RetinaFace's form): features of neighbouring stages -> levels of one width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from ligera.models.layers import conv_bn
from ligera.models.specs import Activation


class Pyramid(nn.Module):
    """``n`` features, finest first, each half the side of the one before -> ``n`` maps of ``channels``, same sides.

    Lateral 1x1 convolutions; each coarser level is doubled (nearest) and added, then merged by a 3x3 convolution. The
    coarsest level has only its lateral, as in RetinaFace. Where a level has other channels than the one above it, a 1x1
    convolution fits the coarser one before it is doubled: narrow fine levels are what keeps small nets fast.
    """

    def __init__(self, channels_in: Sequence[int], channels: Sequence[int], act: Activation) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv_bn(n, m, 1, act=act) for n, m in zip(channels_in, channels, strict=True))
        self.fit = nn.ModuleList(
            nn.Identity() if above == own else conv_bn(above, own, 1) for own, above in pairwise(channels)
        )
        self.merge = nn.ModuleList(conv_bn(own, own, 3, act=act) for own in channels[:-1])

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        levels = [lateral(x) for lateral, x in zip(self.lateral, features, strict=True)]
        for i in range(len(levels) - 2, -1, -1):
            # a factor, not a size, so that an exported graph stays free of shape arithmetic
            above = functional.interpolate(self.fit[i](levels[i + 1]), scale_factor=2.0, mode="nearest")
            levels[i] = self.merge[i](levels[i] + above)
        return levels
