"""Exponential moving average of a network: the weights that are validated and shipped."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage:
    """``average += (1 - d) * (weights - average)`` after each step, d rising to ``decay`` as 1 - 10 / (10 + steps).

    Batch statistics are averaged like weights; integer buffers are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self._decay, (1 + step) / (10 + step))
        for own, new in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if own.is_floating_point():
                own.lerp_(new, 1 - decay)
            else:
                own.copy_(new)
