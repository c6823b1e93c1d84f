"""The task "which class is this picture": network, loss and validation score for the training loop."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ligera.data.check import detect_format
from ligera.data.cifar import read_cifar10
from ligera.data.folders import read_split
from ligera.data.stratified import split_off
from ligera.errors import DataError, RecipeError
from ligera.metrics.classification import classification_scores
from ligera.models.classifiers import build_classifier
from ligera.records import LabelledPictures
from ligera.train.classification.pictures import PictureBatch, PicturesOnDevice, channel_statistics
from ligera.train.classification.recipe import ClassificationRecipe
from ligera.train.classification.sheet import draw_mistakes
from ligera.train.samplers import EpochPlan, make_sampler
from ligera.train.sampling import SampleKey
from ligera.train.task import Losses, check_batch

EVALUATION_BATCH = 500
CIFAR_SIDE_PX = 32


class ClassificationTask:
    """All that the loop needs to know of classification; built from a recipe, holds the data."""

    score = "accuracy"

    def __init__(self, recipe: ClassificationRecipe) -> None:
        self._recipe = recipe
        self.training, self.validation, self.test = _parts(recipe)
        self.names = self.training.names
        self._mean, self._std = channel_statistics(self.training.pictures)
        self.sampler = make_sampler(
            recipe.sampler,
            rows=len(self.training),
            weights=None,
            samples_per_epoch=recipe.samples_per_epoch,
            seed=recipe.seed,
            epochs=recipe.epochs,
        )
        check_batch(recipe, self.sampler)
        build_classifier(recipe.model, len(self.names), recipe.pretrained)  # a wrong name is said before any training
        self._held: dict[str, PicturesOnDevice] = {}

    def network(self) -> nn.Module:
        return build_classifier(self._recipe.model, len(self.names), self._recipe.pretrained)

    def batches(self, plan: EpochPlan, keys: list[list[SampleKey]], device: torch.device) -> Iterable[PictureBatch]:
        if not keys:
            return ()
        held = self._on(device, "training", self.training, self._recipe.augment.shift_px)
        return held.varied(keys, self._recipe.augment, len(plan.rows), self._recipe.seed, keys[0][0].epoch)

    def count(self, batch: PictureBatch) -> torch.Tensor:
        return batch.weights.new_tensor(float(len(batch.rows)))

    def loss(self, network: nn.Module, batch: PictureBatch, count: torch.Tensor) -> Losses:
        logits = network(batch.pixels).float()
        smoothing = self._recipe.label_smoothing
        entropy = functional.cross_entropy(logits, batch.labels, reduction="none", label_smoothing=smoothing)
        return Losses({"entropy": (batch.weights * entropy).sum() / count}, entropy.detach())

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        return {"accuracy": self._accuracy(network, "validation", self.validation)}

    def finish(self, network: nn.Module) -> dict[str, float]:
        """Accuracy on the test part, which nothing before has looked at; nothing where there is no such part."""
        return {} if self.test is None else {"test_accuracy": self._accuracy(network, "test", self.test)}

    def card(self) -> dict[str, Any]:
        return {
            "task": "classify",
            "labels": list(self.names),
            "side_px": self.training.pictures.shape[1],
            "mean": self._mean.tolist(),
            "std": self._std.tolist(),
        }

    def draw(self, network: nn.Module, folder: Path) -> None:
        """``mistakes.png``: validation pictures that the network is surest of and wrong about."""
        logits = self.logits(network, "validation", self.validation)
        draw_mistakes(self.validation, logits, folder / "mistakes.png")

    def logits(self, network: nn.Module, part: str, pictures: LabelledPictures) -> np.ndarray:
        """``(N, K)`` of the pictures of a part, unvaried."""
        device = next(network.parameters()).device
        held = self._on(device, part, pictures, 0)
        network.eval()
        with torch.inference_mode():
            return torch.cat([network(pixels).float().cpu() for pixels in held.plain(EVALUATION_BATCH)]).numpy()

    def _accuracy(self, network: nn.Module, part: str, pictures: LabelledPictures) -> float:
        return classification_scores(self.logits(network, part, pictures), pictures.labels).accuracy

    def _on(self, device: torch.device, part: str, pictures: LabelledPictures, edge_px: int) -> PicturesOnDevice:
        if part not in self._held:
            numbers = pictures.pictures, pictures.labels, self._mean, self._std
            self._held[part] = PicturesOnDevice(*numbers, edge_px, device)
        return self._held[part]


def _parts(recipe: ClassificationRecipe) -> tuple[LabelledPictures, LabelledPictures, LabelledPictures | None]:
    """Training, validation and test pictures of a recipe, the training part cut down where it asks for that."""
    training, validation, test = _read(recipe)
    if validation is None:
        rest, held = split_off(training, _amount(recipe.held_out), recipe.subset_seed)
        training, validation = training.take(rest), training.take(held)
    training = _fewer(training, "training_pictures", recipe.training_pictures, recipe.subset_seed)
    if test is not None:
        test = _fewer(test, "test_pictures", recipe.test_pictures, recipe.subset_seed)
    return training, validation, test


def _fewer(pictures: LabelledPictures, key: str, count: int | None, seed: int) -> LabelledPictures:
    """``count`` of ``pictures``, all for None; ``DataError`` naming ``key`` where there are not so many."""
    if count is None or count == len(pictures):
        return pictures
    if count > len(pictures):
        raise DataError(f"{key}: {count:,} is more than the {len(pictures):,} there are; make it smaller")
    return pictures.take(split_off(pictures, len(pictures) - count, seed)[0])


def _amount(held_out: float) -> float:
    """A share stays one, a count becomes a whole number."""
    return held_out if held_out < 1 else int(held_out)


def _read(recipe: ClassificationRecipe) -> tuple[LabelledPictures, LabelledPictures | None, LabelledPictures | None]:
    layout = detect_format(recipe.data) if recipe.format == "auto" else recipe.format
    if layout == "cifar10":
        if recipe.side_px not in (None, CIFAR_SIDE_PX):
            raise RecipeError(f"side_px: CIFAR-10 pictures are {CIFAR_SIDE_PX} px, got {recipe.side_px}; leave it out")
        return read_cifar10(recipe.data, "train"), None, read_cifar10(recipe.data, "test")
    if recipe.side_px is None:
        raise RecipeError("side_px: missing; a folder per class needs it, for example side_px: 64")
    return read_split(recipe.data, recipe.side_px)
