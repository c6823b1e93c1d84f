"""Crops held on the device, and their batches, varied all at once.

A batch costs a few array operations, so the network never waits for it. All chance comes from (seed, epoch, position):
the same sample is the same crop whatever the number of processes, and an epoch can be entered at any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ligera.data.crops import KINDS, CropSet
from ligera.train.mtcnn.networks import PREPROCESS
from ligera.train.mtcnn.recipe import CropAugment
from ligera.train.mtcnn.windows import as_applied, as_cropped
from ligera.train.sampling import SampleKey

NEGATIVE, POSITIVE, PART, LANDMARK = (KINDS.index(name) for name in ("negative", "positive", "part", "landmark"))
# Left eye, right eye, nose, left and right mouth corner: what each becomes in a mirror.
MIRRORED_POINTS = (1, 0, 2, 4, 3)
CHANCES = ("mirror", "grey", "brightness", "contrast", "saturation")


@dataclass(frozen=True, slots=True)
class CropBatch:
    """``pixels (B, 3, S, S)`` float as networks see them, ``kinds (B,)`` int64 into ``KINDS``, ``boxes (B, 4)`` as the
    network has to answer them, ``landmarks (B, 10)`` (both NaN where unknown), ``rows (B,)`` of the set and the
    ``weights (B,)`` of their losses."""

    pixels: Tensor
    kinds: Tensor
    boxes: Tensor
    landmarks: Tensor
    rows: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> CropBatch:
        return CropBatch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


class Changes(NamedTuple):
    """What becomes of each crop of a batch, ``(B,)`` each; ``brightness`` in pixel values, the last two as factors."""

    mirror: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor


class CropsOnDevice:
    """A set of crops on ``device``, its boxes as ``net`` has to answer them."""

    def __init__(self, crops: CropSet, net: str, device: torch.device) -> None:
        self._net = net
        self._pixels = torch.from_numpy(np.ascontiguousarray(crops.pixels)).to(device)
        self._kinds = torch.from_numpy(crops.kinds.astype(np.int64)).to(device)
        self._boxes = torch.from_numpy(np.array(crops.boxes, np.float32)).to(device)
        self._landmarks = torch.from_numpy(np.array(crops.landmarks, np.float32)).to(device)
        self._device = device

    def varied(
        self, keys: list[list[SampleKey]], recipe: CropAugment, samples: int, seed: int, epoch: int
    ) -> Iterator[CropBatch]:
        """The batches of ``keys``, cut from an epoch of ``samples``, each crop mirrored or not, in other colours."""
        chances = np.random.default_rng([seed, epoch, 1]).random((samples, len(CHANCES)), np.float32)
        for part in keys:
            drawn = torch.from_numpy(chances[[key.position for key in part]]).to(self._device)
            rows = torch.tensor([key.index for key in part], device=self._device)
            changes = _changes(drawn, recipe)
            boxes, landmarks = mirrored(self._boxes[rows], self._landmarks[rows], changes.mirror)
            weights = torch.tensor([key.weight for key in part], dtype=torch.float32, device=self._device)
            pixels = normal(changed(self._pixels[rows].float(), changes))
            yield CropBatch(pixels, self._kinds[rows], as_applied(boxes, self._net), landmarks, rows, weights)

    def plain(self, batch: int) -> Iterator[Tensor]:
        """All crops in order, unvaried, as the network sees them, ``batch`` at a time."""
        for first in range(0, len(self._pixels), batch):
            yield normal(self._pixels[first : first + batch].float())

    def answered(self, boxes: Tensor) -> Tensor:
        """The network's ``boxes (N, 4)`` as crops carry theirs."""
        return as_cropped(boxes, self._net)


def mirrored(boxes: Tensor, landmarks: Tensor, mirror: Tensor) -> tuple[Tensor, Tensor]:
    """``boxes (B, 4)`` and ``landmarks (B, 10)`` of crops, mirrored where ``mirror (B,)`` says so."""
    other = boxes[:, [2, 1, 0, 3]] * boxes.new_tensor([-1, 1, -1, 1])
    points = landmarks.view(-1, 5, 2)[:, MIRRORED_POINTS]
    points = torch.stack([1 - points[..., 0], points[..., 1]], dim=2).flatten(1)
    chosen = mirror[:, None]
    return torch.where(chosen, other, boxes), torch.where(chosen, points, landmarks)


def changed(pixels: Tensor, changes: Changes) -> Tensor:
    """``pixels (B, S, S, 3)`` float from 0 to 255, mirrored and in other colours, within the same range."""
    columns = torch.arange(pixels.shape[2], device=pixels.device)
    order = torch.where(changes.mirror[:, None], columns.flip(0), columns)
    pixels = pixels[torch.arange(len(pixels), device=pixels.device)[:, None], :, order].transpose(1, 2)
    brightness, contrast, saturation = (values[:, None, None, None] for values in changes[1:])
    pixels = torch.lerp(pixels.mean(3, keepdim=True), pixels, saturation)
    middle = pixels.mean((1, 2, 3), keepdim=True)
    return ((pixels - middle) * contrast + (middle + brightness)).clamp(0, 255)


def normal(pixels: Tensor) -> Tensor:
    """``(B, S, S, 3)`` from 0 to 255 -> ``(B, 3, S, S)`` as networks see it."""
    return ((pixels - PREPROCESS.mean[0]) * PREPROCESS.scale[0]).permute(0, 3, 1, 2)


def _changes(drawn: Tensor, recipe: CropAugment) -> Changes:
    """Chances ``(B, 5)`` from 0 to 1 -> what they do."""
    mirror, grey, *rest = drawn.unbind(1)
    brightness, contrast, saturation = (2 * chance - 1 for chance in rest)
    return Changes(
        mirror < recipe.mirror,
        255 * recipe.brightness * brightness,
        1 + recipe.contrast * contrast,
        torch.where(grey < recipe.grey, 0.0, 1 + recipe.saturation * saturation),
    )
