"""The recipe of a search: that of a face detector's training, and what to search for, by which method, how long.

``channels`` cuts the space's menus, as the paper's expert does; ``strength`` is the paper's lambda, ``weighted_share``
its p1 (paper C, 3.4 and 3.7). Half of the training pictures teach weights; the other, ``held_out``, teaches gates or
judges candidates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from ligera.errors import RecipeError
from ligera.search.costs import Target
from ligera.search.losses import TargetLoss
from ligera.search.space import Space, parse_space
from ligera.search.table import ATTRIBUTES
from ligera.train.faces.recipe import FacesRecipe
from ligera.typed_yaml import explain, is_mapping, overridden, read_yaml

__all__ = ["METHODS", "Method", "SearchRecipe", "cut", "dump_search_recipe", "read_search_recipe"]

Method = Literal["random", "gates", "evolution", "fewest-macs"]
METHODS: tuple[Method, ...] = ("random", "gates", "evolution", "fewest-macs")


class Goal(Target):
    """A target whose attribute is one that tables have."""

    target: float = Field(gt=0)
    weight: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _is_known(self) -> Goal:
        if self.attribute not in ATTRIBUTES:
            raise ValueError(f"attribute: expected one of {', '.join(ATTRIBUTES)}, got {self.attribute[:60]!r}")
        return self


class SearchRecipe(FacesRecipe):
    """One search, at random unless another ``method`` is named, as at equal time gates found nothing better.

    ``epochs`` and the rest of the training part are those of the search itself (method gates) or what a candidate is
    trained by (random, evolution), whose epochs are ``trial_epochs``.

    ``space``: a space file; the table's own where none is given. ``table_side_px``: for pictures of which side nets
    shall reach the target; the space's first where none is given. ``gate_every``: an architecture step after so many
    weight steps. ``land_within``: the net that is taken is the most probable one this near the target, as a share of
    it; 0 takes the most probable one wherever it lies, as the paper does. ``measure``: where the table was made on this
    machine and latency is the only target, the net taken is timed, and another one is where it misses. ``minutes``:
    random search and evolution train candidates until so much time is spent; without it, ``candidates`` of them.
    """

    task: Literal["search"] = "search"  # type: ignore[assignment]
    model: str = "supernet"
    held_out: float = Field(0.5, gt=0, le=0.9)

    space: Path | None = None
    table: Path | None = None
    table_side_px: int | None = Field(None, ge=32)
    channels: Annotated[tuple[tuple[int, ...], ...], Field(min_length=4, max_length=4)] | None = None
    method: Method = "random"
    targets: tuple[Goal, ...] = Field((), max_length=8)

    warmup_epochs: int = Field(2, ge=0)
    gate_every: int = Field(1, ge=1)
    gate_learning_rate: float = Field(0.05, gt=0, le=100)
    target_loss: TargetLoss = "absolute"
    strength: float = Field(7.0, ge=0, le=10_000)
    weighted_share: float = Field(0.5, ge=0, le=1)
    land_within: float = Field(0.01, ge=0, lt=1)
    measure: bool = True

    candidates: int = Field(9, ge=1, le=10_000)
    rungs: int = Field(3, ge=1, le=8)
    band: float = Field(0.03, gt=0, lt=1)
    trial_epochs: int = Field(1, ge=1)
    minutes: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _fits_a_search(self) -> SearchRecipe:
        if self.method == "gates" and self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs: expected fewer than the {self.epochs} epochs, got {self.warmup_epochs}")
        if self.pretrained is not None:
            raise ValueError(
                "pretrained: a search makes its nets of other blocks than those weights are for; leave it out, and "
                "train what is found with 'ligera train'"
            )
        if self.sampler.kind != "full":
            raise ValueError(f"sampler: a search shows all pictures; expected kind full, got {self.sampler.kind}")
        names = [goal.attribute for goal in self.targets]
        if len(set(names)) < len(names):
            raise ValueError(f"targets: expected different attributes, got {', '.join(names)}")
        return self

    def anchored(self, folder: Path) -> SearchRecipe:
        moved = {name: folder / path for name in ("space", "table") if (path := getattr(self, name))}
        return super().anchored(folder).model_copy(update=moved)  # type: ignore[return-value]

    def training(self, **changes: Any) -> FacesRecipe:
        """The training of one net under this recipe, with ``changes``."""
        fields = FacesRecipe.model_fields
        values = {name: value for name, value in self.model_dump(exclude={"architecture"}).items() if name in fields}
        return FacesRecipe.model_validate({**values, "task": "faces", **changes})


def read_search_recipe(path: Path, overrides: tuple[str, ...] = ()) -> SearchRecipe:
    """The recipe in a YAML file with ``key=value`` overrides; relative paths are taken from its folder.

    Paths in overrides too are taken from there. Raises ``RecipeError`` naming the file and the key.
    """
    values = read_yaml(path, "a recipe")
    if not is_mapping(values):
        raise RecipeError(f"{path}: expected 'key: value' lines of a search; see recipes/search-tiny.yaml")
    try:
        return SearchRecipe.model_validate(overridden(values, overrides)).anchored(path.resolve().parent)
    except ValidationError as error:
        raise RecipeError(f"{path}: {explain(dict(error.errors()[0]), SearchRecipe)}") from None


def dump_search_recipe(recipe: SearchRecipe) -> str:
    """YAML that ``read_search_recipe`` reads back to an equal record."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


def cut(space: Space, channels: tuple[tuple[int, ...], ...] | None) -> Space:
    """``space`` with these menus of channels alone; ``RecipeError`` for channels that it does not have."""
    if channels is None:
        return space
    for number, (menu, stage) in enumerate(zip(channels, space.stages, strict=True), 1):
        strange = sorted(set(menu) - set(stage.channels))
        if strange or not menu:
            has = ", ".join(map(str, stage.channels))
            raise RecipeError(f"channels: stage {number} of space {space.name} has {has}; got {list(menu)}")
    values = space.model_dump(mode="json")
    for stage, menu in zip(values["stages"], channels, strict=True):
        stage["channels"] = sorted(set(menu))
    return parse_space(values, f"channels of space {space.name}")
