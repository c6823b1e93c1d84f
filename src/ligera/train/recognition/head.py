"""The head of a recogniser: one logit for each person on frozen features, trained as paper E does.

In: features ``(N, F)`` float of a frozen base, and ``labels (N,)``, a person's number or -1 for anybody else. Out:
:class:`Head`, a linear layer ``(K, F)``. Dropout 0.2, binary cross entropy on logits, Adam at 1e-4, stopped when the
validation loss has not fallen for 10 epochs, the best weights taken back. As the base is frozen its features are
computed once, so that an epoch takes milliseconds and not the seconds of a pass through the base; this is why the head
is no task of ``train.loop``, whose epochs read pictures, and whose runs are worth resuming.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["EpochRow", "Head", "HeadSettings", "train_head"]

LARGEST_WEIGHT = 100.0
LEVELS = 2**16


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """Paper E's numbers. ``standardise`` brings each feature to mean 0 and deviation 1 first, which the paper does not;
    ``balance`` lets a person's few pictures weigh as much as the many of others."""

    learning_rate: float = 1e-4
    dropout: float = 0.2
    batch: int = 32
    epochs: int = 300
    patience: int = 10
    standardise: bool = False
    balance: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class EpochRow:
    """Mean loss of an epoch on either part, accuracy on validation at logit 0, and how long the epoch took."""

    epoch: int
    loss: float
    validation_loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """``logits = features @ weight.T + bias``: ``weight (K, F)``, ``bias (K,)`` float32. ``best`` is the epoch kept."""

    weight: np.ndarray
    bias: np.ndarray
    best: int
    history: tuple[EpochRow, ...]

    def logits(self, features: np.ndarray) -> np.ndarray:
        """``(N, K)`` float32 of ``features (N, F)``."""
        return features.astype(np.float32) @ self.weight.T + self.bias


def train_head(
    features: np.ndarray,
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    people: int,
    settings: HeadSettings = HeadSettings(),
    tell: Callable[[EpochRow], None] | None = None,
) -> Head:
    """Train on ``features`` and ``labels``, stop by ``validation``, which is the same two of pictures held out."""
    generator = np.random.default_rng(settings.seed)
    mean, deviation = _statistics(features, settings.standardise)
    inputs, held = (((torch.from_numpy(x.astype(np.float32)) - mean) / deviation) for x in (features, validation[0]))
    targets, held_targets = (_targets(values, people) for values in (labels, validation[1]))
    weight = _positive_weight(targets) if settings.balance else torch.ones(people)
    layer = nn.utils.skip_init(nn.Linear, inputs.shape[1], people)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(layer.parameters(), lr=settings.learning_rate)
    history: list[EpochRow] = []
    best, kept = float("inf"), (layer.weight.detach().clone(), layer.bias.detach().clone(), 0)
    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        loss = _epoch(layer, optimizer, inputs, targets, weight, settings, generator)
        held_loss, accuracy = _judge(layer, held, held_targets, weight)
        history.append(EpochRow(epoch, loss, held_loss, accuracy, time.perf_counter() - started))
        if tell:
            tell(history[-1])
        if held_loss < best:
            best, kept = held_loss, (layer.weight.detach().clone(), layer.bias.detach().clone(), epoch)
        elif epoch - kept[2] >= settings.patience:
            break
    scaled = kept[0] / deviation
    bias = kept[1] - scaled @ mean
    return Head(scaled.numpy(), bias.numpy(), kept[2], tuple(history))


def _statistics(features: np.ndarray, wanted: bool) -> tuple[Tensor, Tensor]:
    """Mean and deviation ``(F,)`` of features; a feature that hardly varies is not blown up."""
    if not wanted:
        return torch.zeros(features.shape[1]), torch.ones(features.shape[1])
    values = features.astype(np.float32)
    deviation = values.std(axis=0)
    floor = max(1e-3 * float(deviation.max(initial=0)), 1e-6)
    return torch.from_numpy(values.mean(axis=0)), torch.from_numpy(np.maximum(deviation, floor))


def _targets(labels: np.ndarray, people: int) -> Tensor:
    return torch.from_numpy((np.asarray(labels)[:, None] == np.arange(people)).astype(np.float32))


def _positive_weight(targets: Tensor) -> Tensor:
    """How much more a picture of a person counts, so that persons and others weigh the same."""
    own = targets.sum(0).clamp(min=1)
    return ((len(targets) - own) / own).clamp(1 / LARGEST_WEIGHT, LARGEST_WEIGHT)


def _epoch(
    layer: nn.Linear,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    targets: Tensor,
    weight: Tensor,
    settings: HeadSettings,
    generator: np.random.Generator,
) -> float:
    total = 0.0
    dropped = round(settings.dropout * LEVELS)
    for rows in torch.from_numpy(generator.permutation(len(inputs))).split(settings.batch):
        part = inputs[rows]
        # two random bytes a feature: a whole float for each took most of an epoch's time
        kept = torch.from_numpy(generator.integers(0, LEVELS, part.shape, np.uint16) >= dropped)
        logits = layer(part.mul_(kept).div_(1 - settings.dropout))
        loss = functional.binary_cross_entropy_with_logits(logits, targets[rows], pos_weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(rows)
    return total / len(inputs)


@torch.no_grad()
def _judge(layer: nn.Linear, inputs: Tensor, targets: Tensor, weight: Tensor) -> tuple[float, float]:
    logits = layer(inputs)
    loss = functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)
    return float(loss), float(((logits > 0) == (targets > 0)).float().mean())
