"""YAML text -> values -> a typed record, for recipes, settings, search spaces and architectures alike.

A file is read up to a bound, ``key=value`` overrides are put in, and what pydantic finds wrong with the values is told
in one line, with the nearest key that there is. No torch here; a file needs PyYAML, which the extra ``train`` brings.
"""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel, ConfigDict

from ligera.errors import MissingExtra, RecipeError, nearest

__all__ = ["Frozen", "explain", "is_mapping", "overridden", "read_yaml", "shown"]

LONGEST_KEY = 80
MOST_BYTES = 2**18  # a recipe is a page of text; a whole MB of YAML would be read for half a minute


class Frozen(BaseModel):
    """A record that refuses unknown keys, NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def read_yaml(path: Path, kind: str) -> Any:
    """What the YAML file at ``path`` says; ``kind`` is what it should be, with its article, for errors.

    Raises ``RecipeError`` naming the file, and the line where there is one; ``MissingExtra`` without PyYAML.
    """
    return _parsed(_text(path, kind), str(path), kind)


def is_mapping(values: Any) -> TypeGuard[dict[str, Any]]:
    """Whether these are ``key: value`` lines."""
    return isinstance(values, dict) and all(isinstance(key, str) for key in values)


def overridden(values: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """``values`` with each ``key=value`` put in its place, the value read as YAML."""
    for override in overrides:
        _apply(values, override)
    return values


def _text(path: Path, kind: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise RecipeError(f"{path}: longer than {MOST_BYTES // 2**10} KiB; give a YAML text file")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "").lower() or "not UTF-8 text"
        raise RecipeError(f"{path}: cannot be read as {kind} ({reason}); give a YAML text file") from None


def _parsed(text: str, where: str, kind: str = "a recipe") -> Any:
    """What YAML says, or ``RecipeError``: its reader lets other errors through for words such as ``2001-99-99``."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise MissingExtra("PyYAML", "train", f"reading {where}") from None
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise RecipeError(f"{where}: nested too deeply for {kind}") from None
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise RecipeError(f"{where}{line}: not valid YAML: {reason}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"{shown(override)}: expected key=value, for example epochs=5")
    *path, last = key.split(".")
    inside: Any = values
    for part in path:
        inside = inside.setdefault(part, {}) if isinstance(inside, dict) else None
    if not isinstance(inside, dict):
        raise RecipeError(f"{shown(override)}: {'.'.join(path)} holds no keys of its own")
    inside[last] = _parsed(text, shown(override))


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
        key = shown(key)
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key}: no such key{nearest(str(path[-1]), _known_keys(kind, path[:-1]))}"
    if problem["type"] == "missing":
        return f"{key}: missing; every recipe needs it"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    # our own checks name the key among several that is wrong, and what it got
    if problem["type"] == "value_error":
        return f"{key}: {message}" if path else message
    return f"{key}: {message}, got {shown(problem.get('input'))}"


def shown(value: Any) -> str:
    """``value`` in at most 60 characters, whatever it is: nine lines of YAML can stand for a billion words."""
    try:
        text = _short.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number too long to show"
    return text if len(text) < 60 else text[:57] + "..."


_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother = 3, 60, 60
