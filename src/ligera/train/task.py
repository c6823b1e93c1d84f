"""What the loop needs to know of a task: its network, its batches, its loss, its score.

``faces.task`` and ``classification.task`` are such; ``task_for`` builds the one a recipe asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from ligera.errors import RecipeError
from ligera.train.recipe import Recipe
from ligera.train.samplers import EpochPlan, Sampler
from ligera.train.sampling import SampleKey


class Batch(Protocol):
    """This process's share of a global batch; ``rows`` ``(B,)`` int64 are its rows of the data set."""

    rows: Tensor

    def to(self, device: torch.device) -> Self: ...


@dataclass(frozen=True, slots=True)
class Losses:
    """``parts``: the terms of the loss by name, whose sum is trained; ``per_sample`` ``(B,)``: what each one lost."""

    parts: dict[str, Tensor]
    per_sample: Tensor


class Task(Protocol):
    """Built from a recipe, holds the data. ``score`` is the name of the validation score, 0 to 1, more is better."""

    sampler: Sampler
    score: str

    def network(self) -> nn.Module: ...

    def batches(self, plan: EpochPlan, keys: list[list[SampleKey]], device: torch.device) -> Iterable[Batch]:
        """The batches of ``keys``, in their order; ``plan`` is the whole epoch they are cut from."""

    def count(self, batch: Any) -> Tensor:
        """What the loss is averaged over, here; the loop sums it over processes and hands it back to ``loss``."""

    def loss(self, network: nn.Module, batch: Any, count: Tensor) -> Losses: ...

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Scores on the validation part, ``score`` among them; nothing where there is none."""

    def finish(self, network: nn.Module) -> dict[str, float]:
        """Called once with the trained network: last adjustments and last scores, for ``result.json``."""

    def card(self) -> dict[str, Any]:
        """What whoever exports the weights must know beside the recipe; saved as ``card.json``."""

    def draw(self, network: nn.Module, folder: Path) -> None:
        """Pictures of what the network does, into the run folder."""


def task_for(recipe: Recipe) -> Task:
    """The task of ``recipe``, its data read; ``DataError`` or ``RecipeError`` before any training."""
    if recipe.task == "classification":
        from ligera.train.classification.task import ClassificationTask

        return ClassificationTask(recipe)
    if recipe.task == "regions":
        from ligera.train.regions.task import RegionTask

        return RegionTask(recipe)
    if recipe.task == "mtcnn":
        from ligera.train.mtcnn.task import MtcnnTask

        return MtcnnTask(recipe)
    if recipe.task == "mtcnn-positives":
        from ligera.train.mtcnn.positives import PositivesTask

        return PositivesTask(recipe)
    from ligera.train.faces.task import FaceTask

    return FaceTask(recipe)


def check_batch(recipe: Recipe, sampler: Sampler) -> None:
    """``RecipeError`` where an epoch could hold less than one batch."""
    if recipe.batch > sampler.fewest_rows:
        raise RecipeError(
            f"batch: {recipe.batch} is more than the {sampler.fewest_rows:,} samples of an epoch; make it smaller"
        )
