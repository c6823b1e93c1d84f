"""RetinaFace (Deng et al. 2019) over any backbone: pictures ``(B, 3, H, W)`` -> encoded boxes, scores and landmarks.

Sides are multiples of 32 px. Rows stand in the order of ``priors.prior_boxes``; boxes and landmarks are encoded as
``decode`` reads them, scores are logits. Train and eval return the same type.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ligera.models.backbones.resnet import ResNet50
from ligera.models.backbones.staged import StagedBackbone
from ligera.models.context import context
from ligera.models.pyramid import Pyramid
from ligera.models.specs import DetectorSpec

__all__ = ["RawOutputs", "RetinaFace"]

MULTIPLE_PX = 32
FOCAL_PRIOR = 0.01


class RawOutputs(NamedTuple):
    """``boxes`` (B, P, 4), ``scores`` (B, P, K) logits, ``landmarks`` (B, P, 10), one row per prior."""

    boxes: Tensor
    scores: Tensor
    landmarks: Tensor


class RetinaFace(nn.Module):
    """Network of a ``DetectorSpec``, with random weights.

    One 1x1 convolution per level is box, score and landmark head at once: its channels are, prior by prior, 4 for the
    box, ``score_channels``, 10 for the landmarks. One product instead of three is what makes small nets fast.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        super().__init__()
        self.spec = spec
        self.widths = (4, spec.score_channels, 10)
        self.backbone = ResNet50() if spec.backbone == "resnet50" else StagedBackbone(spec.backbone)
        entering = [self.backbone.channels[stage - 1] for stage in spec.pyramid_stages]
        levels, act = spec.level_channels, spec.activation
        self.pyramid = Pyramid(entering, levels, act)
        self.context = nn.ModuleList(context(spec.context, channels, act) for channels in levels)
        self.heads = nn.ModuleList(
            nn.Conv2d(channels, len(sizes) * sum(self.widths), 1)
            for channels, sizes in zip(levels, spec.priors.sizes, strict=True)
        )
        for head in self.heads:
            self._start(head)

    def _start(self, head: nn.Conv2d) -> None:
        """Small weights; sigmoid scores start at 0.01, so that background doesn't swamp the first steps."""
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)
        if self.spec.score_channels == 1:
            with torch.no_grad():
                head.bias.view(-1, sum(self.widths))[:, 4] = -math.log((1 - FOCAL_PRIOR) / FOCAL_PRIOR)

    def forward(self, pictures: Tensor) -> RawOutputs:
        """``pictures`` (B, 3, H, W) float, preprocessed, H and W multiples of 32; ``ValueError`` for other sides."""
        if not (torch.jit.is_tracing() or torch.compiler.is_compiling()):
            height, width = pictures.shape[2:]
            if height % MULTIPLE_PX or width % MULTIPLE_PX:
                raise ValueError(f"pictures: expected sides that {MULTIPLE_PX} divides, got {height}x{width} px")
        features = self.backbone(pictures)
        levels = self.pyramid([features[stage - 1] for stage in self.spec.pyramid_stages])
        rows = []
        for level, module, head in zip(levels, self.context, self.heads, strict=True):
            cells = head(module(level)).permute(0, 2, 3, 1)
            rows.append(cells.reshape(cells.shape[0], -1, sum(self.widths)))
        return RawOutputs(*torch.cat(rows, dim=1).split(self.widths, dim=2))

    @torch.no_grad()
    def rescale_scores(self, slope: float, offset: float) -> None:
        """Make every score logit ``slope * logit + offset`` by changing the heads; for sigmoid heads only.

        With ``slope`` above 0 the order of detections stays, so average precision does too.
        """
        if self.spec.score_channels != 1 or slope <= 0:
            raise ValueError(f"expected one score channel and a slope above 0, got {self.spec.score_channels}, {slope}")
        for head in self.heads:
            head.weight.view(-1, sum(self.widths), head.in_channels)[:, 4] *= slope
            bias = head.bias.view(-1, sum(self.widths))
            bias[:, 4] = slope * bias[:, 4] + offset
