"""YAML <-> recipe: ``read_recipe`` turns a file plus ``key=value`` overrides into the typed recipe of its task.

A wrong key is answered with the nearest right one, a wrong value with what was expected; always in one line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ligera.errors import RecipeError, nearest
from ligera.train.classification.recipe import ClassificationRecipe
from ligera.train.faces.recipe import FacesRecipe
from ligera.train.mtcnn.recipe import MtcnnRecipe, PositivesRecipe
from ligera.train.recipe import Recipe
from ligera.train.regions.recipe import RegionsRecipe
from ligera.typed_yaml import explain, is_mapping, overridden, read_yaml, shown

RECIPES: dict[str, type[Recipe]] = {
    "faces": FacesRecipe,
    "classification": ClassificationRecipe,
    "regions": RegionsRecipe,
    "mtcnn": MtcnnRecipe,
    "mtcnn-positives": PositivesRecipe,
}


def read_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a YAML file with ``key=value`` overrides (dots reach inside: ``augment.mosaic=0.5``).

    Relative paths are taken from the recipe's folder. Raises ``RecipeError`` naming the file, the key and what to do.
    """
    values = read_yaml(path, "a recipe")
    if not is_mapping(values):
        raise RecipeError(f"{path}: expected 'key: value' lines, got {'nothing' if values is None else shown(values)}")
    return parse_recipe(overridden(values, overrides), str(path)).anchored(path.resolve().parent)


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """A dictionary -> the recipe of its ``task`` (faces where none is named); the first thing wrong is named."""
    task = values.get("task", "faces")
    if not isinstance(task, str) or task not in RECIPES:
        hint = nearest(task, RECIPES) if isinstance(task, str) else ""
        raise RecipeError(f"{where}: task: expected {' or '.join(RECIPES)}, got {shown(task)}{hint}")
    try:
        return RECIPES[task].model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(error.errors()[0], RECIPES[task])}") from None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that ``read_recipe`` reads back to an equal record."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
