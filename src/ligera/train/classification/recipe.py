"""The recipe of a classifier: where its pictures are, how they are varied, what is held out to judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from ligera.train.recipe import Recipe
from ligera.typed_yaml import Frozen


class PictureAugment(Frozen):
    """Chance of a mirrored picture, and how far it may be shifted each way (px, its edge reflected)."""

    mirror: float = Field(0.5, ge=0, le=1)
    shift_px: int = Field(4, ge=0, le=64)


class ClassificationRecipe(Recipe):
    """One training of a classifier on ``data``: a CIFAR-10 folder or one folder per class.

    Pictures are ``side_px`` square (CIFAR's own 32 where it is left out). Where the data has no validation part,
    ``held_out`` of the training pictures (a share, or a count above 1) are kept apart to judge it by; a test part is
    scored once, at the end. ``training_pictures`` and ``test_pictures`` keep only so many of each, chosen by
    ``subset_seed``, class by class.
    """

    task: Literal["classification"]
    data: Path
    format: Literal["auto", "cifar10", "folders"] = "auto"
    side_px: int | None = Field(None, ge=8, le=1024)
    held_out: float = Field(0.1, gt=0, le=1e9)
    training_pictures: int | None = Field(None, ge=2)
    test_pictures: int | None = Field(None, ge=2)
    subset_seed: int = Field(0, ge=0, lt=2**63)
    augment: PictureAugment = PictureAugment()
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    pretrained: Path | None = None

    @field_validator("held_out")
    @classmethod
    def _share_or_count(cls, value: float) -> float:
        if value >= 1 and value != int(value):
            raise ValueError("expected a share under 1 or a whole number of pictures")
        return value

    @field_validator("augment", mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        if value is True:
            return PictureAugment()
        return PictureAugment(mirror=0, shift_px=0) if value is False else value

    def anchored(self, folder: Path) -> ClassificationRecipe:
        pretrained = folder / self.pretrained if self.pretrained else None
        return self.model_copy(update={"data": folder / self.data, "pretrained": pretrained})
