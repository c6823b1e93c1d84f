"""The recipe of a face detector: where its pictures are, how they are varied, which loss reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ligera.data.augment import AugmentRecipe
from ligera.models import catalogue
from ligera.models.specs import DetectorSpec
from ligera.train.faces.architecture import SUFFIXES, read_architecture
from ligera.train.recipe import Recipe
from ligera.typed_yaml import Frozen


class DataSource(Frozen):
    """A folder with ``label.txt``; ``weights`` says how often pictures of each first-level folder are drawn."""

    path: Path
    labels: str = "label.txt"
    weights: dict[str, Annotated[float, Field(ge=0, le=1e9)]] = Field(default_factory=dict)
    default_weight: float = Field(1.0, ge=0, le=1e9)


class FacesRecipe(Recipe):
    """One training of a face detector; pictures are made ``side_px`` square, ``workers`` processes make them.

    ``pretrained``: a run's ``weights.safetensors`` of the same network, to go on from instead of random weights; or a
    file with the first layers of its backbone alone. ``frozen_stages``: those of its first stages, and what is before
    them, that are not trained any further, which takes much less time.

    ``model`` is a name of the catalogue or an architecture file, whose spec then stands in ``architecture``.
    ``held_out``: the share of each folder's pictures that is kept from training (seeded by ``seed``, so a change of it
    is another part); where no ``validation`` is given, some of them take its place.
    """

    task: Literal["faces"] = "faces"
    architecture: DetectorSpec | None = None
    data: tuple[DataSource, ...] = Field(min_length=1)
    validation: Path | None = None
    held_out: float = Field(0.0, ge=0, le=0.9)
    side_px: int = Field(320, ge=64, le=2048, multiple_of=32)
    augment: AugmentRecipe = AugmentRecipe()
    loss: Literal["quality", "multibox"] = "quality"
    pretrained: Path | None = None
    frozen_stages: int = Field(0, ge=0, le=4)
    workers: int = Field(1, ge=0, le=256)
    cache: bool = True

    @model_validator(mode="after")
    def _dynamic_sampling_has_validation(self) -> FacesRecipe:
        if self.sampler.kind == "dynamic" and self.validation is None and not self.held_out:
            raise ValueError("validation: a dynamic sampler needs validation pictures to judge its choice by")
        return self

    @model_validator(mode="after")
    def _frozen_stages_hold_something(self) -> FacesRecipe:
        if self.frozen_stages and self.pretrained is None:
            raise ValueError("frozen_stages: random weights would stay random; give pretrained weights or leave it out")
        return self

    def anchored(self, folder: Path) -> FacesRecipe:
        data = tuple(source.model_copy(update={"path": folder / source.path}) for source in self.data)
        validation = folder / self.validation if self.validation else None
        pretrained = folder / self.pretrained if self.pretrained else None
        moved = self.model_copy(update={"data": data, "validation": validation, "pretrained": pretrained})
        if not self.model.endswith(SUFFIXES):
            return moved
        found = read_architecture(folder / self.model)
        return moved.model_copy(update={"model": found.name, "architecture": found.spec})

    @property
    def spec(self) -> DetectorSpec:
        """What is trained; ``UsageError`` for a name that the catalogue does not have."""
        return self.architecture or catalogue.find(self.model)
