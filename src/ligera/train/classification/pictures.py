"""Classification pictures held on the device, and their batches, varied all at once.

A batch costs a few array operations, so the network never waits for it. All chance comes from (seed, epoch, position):
the same sample is the same picture whatever the number of processes, and an epoch can be entered at any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ligera.train.classification.recipe import PictureAugment
from ligera.train.sampling import SampleKey


@dataclass(frozen=True, slots=True)
class PictureBatch:
    """``pixels (B, 3, S, S)`` float normalised, ``labels (B,)`` int64, ``rows (B,)`` of the set, ``weights (B,)``."""

    pixels: Tensor
    labels: Tensor
    rows: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> PictureBatch:
        return PictureBatch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


class PicturesOnDevice:
    """Pictures ``(N, S, S, 3)`` uint8 and ``labels (N,)``, once on ``device`` with a reflected edge around each.

    ``mean`` and ``std`` are per channel, 0 to 255.
    """

    def __init__(
        self, pictures: np.ndarray, labels: np.ndarray, mean: Tensor, std: Tensor, edge_px: int, device: torch.device
    ) -> None:
        self._side, self._edge = pictures.shape[1], min(edge_px, pictures.shape[1] - 1)
        edges = ((0, 0), (self._edge, self._edge), (self._edge, self._edge), (0, 0))
        self._pictures = torch.from_numpy(np.pad(pictures, edges, mode="reflect")).to(device)
        self._labels = torch.from_numpy(np.array(labels)).to(device)
        self._mean, self._std = mean.to(device), std.to(device)
        self._device = device

    def varied(
        self, keys: list[list[SampleKey]], recipe: PictureAugment, samples: int, seed: int, epoch: int
    ) -> Iterator[PictureBatch]:
        """The batches of ``keys``, cut from an epoch of ``samples``, each picture shifted and mirrored."""
        generator = np.random.default_rng([seed, epoch, 1])
        reach = min(recipe.shift_px, self._edge)
        shifts = generator.integers(-reach, reach + 1, (samples, 2)) + self._edge
        mirrored = generator.random(samples) < recipe.mirror
        for part in keys:
            positions = np.array([key.position for key in part])
            rows = torch.tensor([key.index for key in part], device=self._device)
            pixels = self._cut(rows, torch.from_numpy(shifts[positions]), torch.from_numpy(mirrored[positions]))
            weights = torch.tensor([key.weight for key in part], dtype=torch.float32, device=self._device)
            yield PictureBatch(self._normal(pixels), self._labels[rows], rows, weights)

    def plain(self, batch: int) -> Iterator[Tensor]:
        """All pictures in order, unvaried, normalised, ``batch`` at a time."""
        for first in range(0, len(self._pictures), batch):
            part = self._pictures[first : first + batch]
            last = self._edge + self._side
            yield self._normal(part[:, self._edge : last, self._edge : last])

    def _cut(self, rows: Tensor, corners: Tensor, mirrored: Tensor) -> Tensor:
        """Windows ``(B, S, S, 3)`` whose top left corners are ``corners (B, 2)``, some of them mirrored."""
        corners, mirrored = corners.to(self._device), mirrored.to(self._device)
        along = torch.arange(self._side, device=self._device)
        columns = torch.where(mirrored[:, None], self._side - 1 - along, along) + corners[:, 1:]
        return self._pictures[rows[:, None, None], (along + corners[:, :1])[:, :, None], columns[:, None, :]]

    def _normal(self, pictures: Tensor) -> Tensor:
        return ((pictures.float() - self._mean) / self._std).permute(0, 3, 1, 2)


def channel_statistics(pictures: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation ``(3,)`` of the channels of ``(N, S, S, 3)`` uint8; a flat channel deviates by 1."""
    count = np.stack([np.bincount(pictures[..., c].ravel(), minlength=256) for c in range(3)]).astype(np.float64)
    count /= count.sum(axis=1, keepdims=True)
    values = np.arange(256)
    mean = count @ values
    deviation = np.sqrt((count * (values - mean[:, None]) ** 2).sum(axis=1))
    deviation[deviation < 1] = 1
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32)
