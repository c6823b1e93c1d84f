"""YAML <-> recipe: ``read_recipe`` turns a file plus ``key=value`` overrides into the typed recipe of its task.

A wrong key is answered with the nearest right one, a wrong value with what was expected; always in one line.
"""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ligera.errors import RecipeError, nearest
from ligera.train.classification.recipe import ClassificationRecipe
from ligera.train.faces.recipe import FacesRecipe
from ligera.train.mtcnn.recipe import MtcnnRecipe, PositivesRecipe
from ligera.train.recipe import Recipe
from ligera.train.regions.recipe import RegionsRecipe

RECIPES: dict[str, type[Recipe]] = {
    "faces": FacesRecipe,
    "classification": ClassificationRecipe,
    "regions": RegionsRecipe,
    "mtcnn": MtcnnRecipe,
    "mtcnn-positives": PositivesRecipe,
}
LONGEST_KEY = 80
MOST_BYTES = 2**18  # a recipe is a page of text; a whole MB of YAML would be read for half a minute


def read_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a YAML file with ``key=value`` overrides (dots reach inside: ``augment.mosaic=0.5``).

    Relative paths are taken from the recipe's folder. Raises ``RecipeError`` naming the file, the key and what to do.
    """
    values = _parsed(_text(path), str(path))
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise RecipeError(f"{path}: expected 'key: value' lines, got {'nothing' if values is None else _shown(values)}")
    return parse_recipe(overridden(values, overrides), str(path)).anchored(path.resolve().parent)


def overridden(values: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """``values`` with each ``key=value`` put in its place, the value read as YAML."""
    for override in overrides:
        _apply(values, override)
    return values


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise RecipeError(f"{path}: longer than {MOST_BYTES // 2**10} KiB; give a YAML text file")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "").lower() or "not UTF-8 text"
        raise RecipeError(f"{path}: cannot be read as a recipe ({reason}); give a YAML text file") from None


def _parsed(text: str, where: str) -> Any:
    """What YAML says, or ``RecipeError``: its reader lets other errors through for words such as ``2001-99-99``."""
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise RecipeError(f"{where}: nested too deeply for a recipe") from None
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise RecipeError(f"{where}{line}: not valid YAML: {reason}") from None


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """A dictionary -> the recipe of its ``task`` (faces where none is named); the first thing wrong is named."""
    task = values.get("task", "faces")
    if not isinstance(task, str) or task not in RECIPES:
        hint = nearest(task, RECIPES) if isinstance(task, str) else ""
        raise RecipeError(f"{where}: task: expected {' or '.join(RECIPES)}, got {_shown(task)}{hint}")
    try:
        return RECIPES[task].model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(error.errors()[0], RECIPES[task])}") from None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that ``read_recipe`` reads back to an equal record."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"{_shown(override)}: expected key=value, for example epochs=5")
    *path, last = key.split(".")
    inside: Any = values
    for part in path:
        inside = inside.setdefault(part, {}) if isinstance(inside, dict) else None
    if not isinstance(inside, dict):
        raise RecipeError(f"{_shown(override)}: {'.'.join(path)} holds no keys of its own")
    inside[last] = _parsed(text, _shown(override))


def _known_keys(kind: Any, path: list[Any]) -> list[str]:
    """The keys that the record at ``path`` inside ``kind`` has; places in a list are passed over."""
    for part in path:
        if isinstance(part, str):
            kind = _record_in(_fields(kind).get(part))
    return list(_fields(kind))


def _fields(kind: Any) -> dict[str, Any]:
    """Name and type of each field of a record, nothing for what is none."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}


def _record_in(annotation: Any) -> Any:
    """The record inside ``X | None`` or ``tuple[X, ...]``."""
    inside = [_record_in(part) for part in typing.get_args(annotation)]
    return next((part for part in inside if _fields(part)), annotation)


def explain(problem: dict[str, Any], kind: type[BaseModel]) -> str:
    """What pydantic found wrong with a record of ``kind``, in one line, with the nearest known key."""
    path = list(problem["loc"])
    key = ".".join(str(part) for part in path) if path else "recipe"
    if len(key) > LONGEST_KEY or not key.isprintable() or not key.strip():
        key = _shown(key)
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: no such key{nearest(str(path[-1]), _known_keys(kind, path[:-1]))}"
    if problem["type"] == "missing":
        return f"{key}: missing; every recipe needs it"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    # our own checks name the key among several that is wrong, and what it got
    if problem["type"] == "value_error":
        return f"{key}: {message}" if path else message
    return f"{key}: {message}, got {_shown(problem.get('input'))}"


def _shown(value: Any) -> str:
    """``value`` in at most 60 characters, whatever it is: nine lines of YAML can stand for a billion words."""
    try:
        text = _short.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number too long to show"
    return text if len(text) < 60 else text[:57] + "..."


_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother = 3, 60, 60
