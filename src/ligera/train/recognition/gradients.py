"""A base that needs no weights: histograms of gradient directions, for whoever has no ImageNet weights at hand.

In: pictures ``(B, 3, S, S)``, 0 to 255. Out: ``(B, 9, S / 8, S / 8)``, how strongly edges of each direction run through
each cell of 8 px, relative to the cells around. Source: Dalal and Triggs 2005, with soft instead of hard bins so that
it is made of plain network layers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DIRECTIONS, CELL_PX = 9, 8
# Steep enough that an edge counts for its own direction and the two beside it.
SHARPNESS = 8


class Gradients(nn.Module):
    """Nothing in it is trained."""

    def __init__(self) -> None:
        super().__init__()
        slope = torch.tensor([[-1.0, 0.0, 1.0]]) / 255
        grey = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
        self.register_buffer("across", grey * slope[None, None])
        self.register_buffer("down", grey * slope.T[None, None])
        angles = torch.arange(DIRECTIONS) * math.pi / DIRECTIONS
        self.register_buffer("turns", torch.stack([angles.cos(), angles.sin()], 1)[:, :, None, None])

    def forward(self, pictures: Tensor) -> Tensor:
        padded = functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
        slopes = torch.cat(
            [functional.conv2d(padded[:, :, 1:-1], self.across), functional.conv2d(padded[..., 1:-1], self.down)], 1
        )
        strength = (slopes.square().sum(1, keepdim=True) + 1e-8).sqrt()
        along = (functional.conv2d(slopes, self.turns) / strength).square()
        cells = functional.avg_pool2d(strength * along**SHARPNESS, CELL_PX)
        around = functional.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
        return cells / (around + 1e-4).sqrt()
