"""A recipe: everything that decides a training run, as one frozen typed record that a YAML file spells out.

``read_recipe`` turns YAML plus ``key=value`` overrides into a ``Recipe`` and names the nearest key when one is wrong.
"""

from __future__ import annotations

import dataclasses
import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ligera.data.augment import AugmentRecipe
from ligera.errors import RecipeError, nearest

LONGEST_KEY = 80
MOST_BYTES = 2**18  # a recipe is a page of text; a whole MB of YAML would be read for half a minute


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSource(_Frozen):
    """A folder with ``label.txt``; ``weights`` says how often pictures of each first-level folder are drawn."""

    path: Path
    labels: str = "label.txt"
    weights: dict[str, Annotated[float, Field(ge=0, le=1e9)]] = Field(default_factory=dict)
    default_weight: float = Field(1.0, ge=0, le=1e9)


class Recipe(_Frozen):
    """One training run. Times are steps or fractions of the run, sizes pixels; ``batch`` is over all processes."""

    name: str = Field(pattern=r"^[\w.-]+$")
    model: str
    data: tuple[DataSource, ...] = Field(min_length=1)
    validation: Path | None = None
    seed: int = Field(0, ge=0, lt=2**63)

    side_px: int = Field(320, ge=64, le=2048, multiple_of=32)
    batch: int = Field(16, ge=1, le=65_536)
    epochs: int = Field(10, ge=1, le=1_000_000)
    samples_per_epoch: int | None = Field(None, ge=1, le=100_000_000)
    augment: AugmentRecipe = AugmentRecipe()

    loss: Literal["quality", "multibox"] = "quality"
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0, le=1000)
    weight_decay: float = Field(0.01, ge=0, le=1000)
    momentum: float = Field(0.9, ge=0, lt=1)
    warmup_steps: int = Field(200, ge=0, le=1_000_000_000)
    schedule: Literal["cosine", "step"] = "cosine"
    step_at: tuple[float, ...] = (0.6666, 0.8888)
    step_factor: float = Field(0.1, gt=0, le=1)
    clip_norm: float = Field(10.0, gt=0)
    ema_decay: float = Field(0.999, ge=0, lt=1)

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    threads: int | None = Field(None, ge=1, le=1024)
    workers: int = Field(1, ge=0, le=256)
    cache: bool = True
    evaluate_every: int = Field(1, ge=1)
    checkpoint_every_steps: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _steps_rise(self) -> Recipe:
        if list(self.step_at) != sorted(self.step_at) or any(not 0 < s < 1 for s in self.step_at):
            raise ValueError("step_at: expected rising fractions between 0 and 1")
        return self


def read_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a YAML file with ``key=value`` overrides (dots reach inside: ``augment.mosaic=0.5``).

    Relative paths are taken from the recipe's folder. Raises ``RecipeError`` naming the file, the key and what to do.
    """
    values = _parsed(_text(path), str(path))
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise RecipeError(f"{path}: expected 'key: value' lines, got {'nothing' if values is None else _shown(values)}")
    for override in overrides:
        _apply(values, override)
    return _anchored(parse_recipe(values, str(path)), path.resolve().parent)


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
    """A dictionary -> ``Recipe``; the first thing wrong is named, with the nearest known key."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error.errors()[0])}") from None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that ``read_recipe`` reads back to an equal record."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


def _anchored(recipe: Recipe, folder: Path) -> Recipe:
    data = tuple(source.model_copy(update={"path": folder / source.path}) for source in recipe.data)
    validation = folder / recipe.validation if recipe.validation else None
    return recipe.model_copy(update={"data": data, "validation": validation})


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


def _known_keys(path: list[Any]) -> list[str]:
    if path[:1] == ["augment"]:
        return [field.name for field in dataclasses.fields(AugmentRecipe)]
    return list(DataSource.model_fields if path[:1] == ["data"] else Recipe.model_fields)


def _explain(problem: dict[str, Any]) -> str:
    path = list(problem["loc"])
    key = ".".join(str(part) for part in path) if path else "recipe"
    if len(key) > LONGEST_KEY or not key.isprintable() or not key.strip():
        key = _shown(key)
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: no such key{nearest(str(path[-1]), _known_keys(path[:-1]))}"
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
