"""The three networks of MTCNN (Zhang et al. 2016): proposals, their refinement, and faces with five points.

In: ``(B, 3, H, W)`` float, preprocessed. Out: ``RawOutputs``, one row for each place that a network looks at. P-Net is
fully convolutional, its rows are its cells row by row (``cascade.cells_along`` says how many); R-Net takes 24x24 crops
and O-Net 48x48 ones, one row each. Boxes are offsets of the four sides over the window's own width and height,
landmarks (O-Net alone has any) places ``x y`` five times in the window from 0 to 1, scores logits: background and face.

Poolings round up, so that a last row or column of pixels is seen, too. Layers are those of the original Caffe models.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ligera.models.cascade import STAGE_SIDES_PX
from ligera.models.retinaface import RawOutputs

__all__ = ["ONet", "PNet", "RNet"]


class ChannelSlopes(nn.PReLU):
    """PReLU with a slope for each channel.

    Traced for export it is said in products and sums, which ONNX Runtime computes twice as fast as its own PRelu.
    """

    def forward(self, values: Tensor) -> Tensor:
        if not torch.jit.is_tracing():
            return super().forward(values)
        slopes = self.weight.view(1, -1, *[1] * (values.dim() - 2))
        return values * slopes + values.relu() * (1 - slopes)


def _conv(entering: int, leaving: int, side: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(entering, leaving, side), ChannelSlopes(leaving)


def _dense(entering: int, leaving: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.Flatten(), nn.Linear(entering, leaving), ChannelSlopes(leaving)


class PNet(nn.Module):
    """Proposes faces: one 12x12 px window every 2 px.

    With one score channel, a face logit for a sigmoid, it is the P-Net of paper A: 6,599 parameters.
    """

    def __init__(self, score_channels: Literal[1, 2] = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_conv(3, 10, 3), nn.MaxPool2d(2, 2, ceil_mode=True), *_conv(10, 16, 3), *_conv(16, 32, 3)
        )
        self.scores = nn.Conv2d(32, score_channels, 1)
        self.boxes = nn.Conv2d(32, 4, 1)

    def forward(self, pictures: Tensor) -> RawOutputs:
        """``pictures`` (B, 3, H, W) of 12 px or more -> boxes (B, P, 4), scores (B, P, K), landmarks (B, P, 0)."""
        seen = self.layers(pictures)
        boxes, scores = (head(seen).flatten(2).transpose(1, 2) for head in (self.boxes, self.scores))
        return RawOutputs(boxes, scores, boxes[..., :0])


class RNet(nn.Module):
    """Refines proposals: crops (B, 3, 24, 24)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_conv(3, 28, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_conv(28, 48, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_conv(48, 64, 2),
            *_dense(576, 128),
        )
        self.scores = nn.Linear(128, 2)
        self.boxes = nn.Linear(128, 4)

    def forward(self, crops: Tensor) -> RawOutputs:
        """``crops`` (B, 3, 24, 24) -> boxes (B, 1, 4), scores (B, 1, 2), landmarks (B, 1, 0); else ``ValueError``."""
        _check_side(crops, STAGE_SIDES_PX[1])
        seen = self.layers(crops)
        boxes = self.boxes(seen)[:, None]
        return RawOutputs(boxes, self.scores(seen)[:, None], boxes[..., :0])


class ONet(nn.Module):
    """Decides, and finds five points: crops (B, 3, 48, 48)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_conv(3, 32, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_conv(32, 64, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_conv(64, 64, 3),
            nn.MaxPool2d(2, 2, ceil_mode=True),
            *_conv(64, 128, 2),
            *_dense(1152, 256),
        )
        self.scores = nn.Linear(256, 2)
        self.boxes = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)

    def forward(self, crops: Tensor) -> RawOutputs:
        """``crops`` (B, 3, 48, 48) -> boxes (B, 1, 4), scores (B, 1, 2), landmarks (B, 1, 10); else ``ValueError``."""
        _check_side(crops, STAGE_SIDES_PX[2])
        seen = self.layers(crops)
        return RawOutputs(*(head(seen)[:, None] for head in (self.boxes, self.scores, self.landmarks)))


def _check_side(crops: Tensor, side_px: int) -> None:
    if not (torch.jit.is_tracing() or torch.compiler.is_compiling()) and crops.shape[2:] != (side_px, side_px):
        raise ValueError(f"crops: expected {side_px}x{side_px} px, got {'x'.join(map(str, crops.shape[2:]))}")
