"""Batch statistics over all processes, so that several small shares of a batch train like the whole batch.

torch's own SyncBatchNorm does this on GPUs and refuses CPUs; ``over_processes`` picks the one that fits.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


class ReducedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance in training are those of the global batch; any backend, CPU included."""

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> the same shape, normalised per channel."""
        if not self.training:
            return super().forward(inputs)
        wide = inputs.float()
        count = wide.new_full((1,), wide.numel() / wide.shape[1])
        sums = torch.cat([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3)), count])
        total, squares, count = all_reduce(sums).split([self.num_features, self.num_features, 1])
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (wide * scale[:, None, None] + shift[:, None, None]).to(inputs.dtype)


def over_processes(network: nn.Module) -> nn.Module:
    """``network`` with batch statistics shared by all processes; unchanged when there is only one."""
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return network
    if next(network.parameters()).is_cuda:
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = ReducedBatchNorm2d
    return network
