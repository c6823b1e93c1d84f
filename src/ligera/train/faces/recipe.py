"""The recipe of a face detector: where its pictures are, how they are varied, which loss reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ligera.data.augment import AugmentRecipe
from ligera.train.recipe import Frozen, Recipe


class DataSource(Frozen):
    """A folder with ``label.txt``; ``weights`` says how often pictures of each first-level folder are drawn."""

    path: Path
    labels: str = "label.txt"
    weights: dict[str, Annotated[float, Field(ge=0, le=1e9)]] = Field(default_factory=dict)
    default_weight: float = Field(1.0, ge=0, le=1e9)


class FacesRecipe(Recipe):
    """One training of a face detector; pictures are made ``side_px`` square, ``workers`` processes make them."""

    task: Literal["faces"] = "faces"
    data: tuple[DataSource, ...] = Field(min_length=1)
    validation: Path | None = None
    side_px: int = Field(320, ge=64, le=2048, multiple_of=32)
    augment: AugmentRecipe = AugmentRecipe()
    loss: Literal["quality", "multibox"] = "quality"
    workers: int = Field(1, ge=0, le=256)
    cache: bool = True

    @model_validator(mode="after")
    def _dynamic_sampling_has_validation(self) -> FacesRecipe:
        if self.sampler.kind == "dynamic" and self.validation is None:
            raise ValueError("validation: a dynamic sampler needs validation pictures to judge its choice by")
        return self

    def anchored(self, folder: Path) -> FacesRecipe:
        data = tuple(source.model_copy(update={"path": folder / source.path}) for source in self.data)
        validation = folder / self.validation if self.validation else None
        return self.model_copy(update={"data": data, "validation": validation})
