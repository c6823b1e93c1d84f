"""The recipe of a layout detector: where its pages are, how they are varied, what its learning rate is of.

Training is counted in epochs: E = I x B / N for I iterations of B pages each over N pages (paper B, equations 3.3 and
3.4, each the other solved).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ligera.data.page_augment import PageAugment
from ligera.train.recipe import Recipe

__all__ = ["RegionsRecipe", "epochs_of", "iterations_of"]


def epochs_of(iterations: float, batch: int, pages: int) -> float:
    """How often each of ``pages`` is shown in ``iterations`` steps of ``batch`` pages (paper B, equation 3.3)."""
    return iterations * batch / _positive(pages)


def iterations_of(epochs: float, batch: int, pages: int) -> float:
    """The steps of ``batch`` pages that show each of ``pages`` ``epochs`` times (paper B, equation 3.4)."""
    return epochs * pages / _positive(batch)


def _positive(count: int) -> int:
    if count < 1:
        raise ValueError(f"expected at least one page, got {count}")
    return count


class RegionsRecipe(Recipe):
    """One training of a layout detector on ``data``: a COCO instances file, the folder of one, or PAGE XML.

    ``tags`` says which regions of PAGE XML are of which class, ``pictures`` where pictures are that don't stand beside
    the files. Pages are seen with a long side of ``side_px`` at most. ``learning_rate`` is that of a batch of
    ``reference_batch``: with another ``batch`` it is scaled in proportion, and what is saved is the scaled one.
    ``workers`` processes vary the pages (0: the one that trains). ``pretrained``: a run's ``weights.safetensors`` of
    the same network and as many classes, to go on from instead of random weights.
    """

    task: Literal["regions"]
    model: str = "layout-small"
    data: Path
    validation: Path | None = None
    pictures: Path | None = None
    validation_pictures: Path | None = None
    format: Literal["auto", "coco", "pagexml"] = "auto"
    tags: dict[str, str | None] | None = None
    pretrained: Path | None = None
    side_px: int = Field(768, ge=128, le=8192)
    augment: PageAugment = PageAugment()
    reference_batch: int | None = Field(None, ge=1, le=65_536)
    workers: int = Field(0, ge=0, le=256)

    @field_validator("augment", mode="before")
    @classmethod
    def _on_or_off(cls, value: Any) -> Any:
        if value is True:
            return PageAugment()
        return PageAugment.still() if value is False else value

    @model_validator(mode="before")
    @classmethod
    def _rate_of_its_batch(cls, values: Any) -> Any:
        """The learning rate scaled to the batch, once: what comes out is its own reference."""
        if not isinstance(values, dict) or values.get("reference_batch") is None:
            return values
        batch, reference = values.get("batch", cls.model_fields["batch"].default), values["reference_batch"]
        rate = values.get("learning_rate", cls.model_fields["learning_rate"].default)
        if not all(type(value) in (int, float) and value > 0 for value in (batch, reference, rate)):
            return values  # what is wrong with them is said by the fields
        return values | {"learning_rate": rate * batch / reference, "reference_batch": batch}

    @model_validator(mode="after")
    def _dynamic_sampling_has_validation(self) -> RegionsRecipe:
        if self.sampler.kind == "dynamic" and self.validation is None:
            raise ValueError("validation: a dynamic sampler needs validation pages to judge its choice by")
        return self

    def anchored(self, folder: Path) -> RegionsRecipe:
        names = ("data", "validation", "pictures", "validation_pictures", "pretrained")
        return self.model_copy(update={name: folder / path for name in names if (path := getattr(self, name))})
