"""Architecture files: YAML with the ``name`` of a detector and its whole ``architecture``, written by a search.

A recipe whose ``model`` is such a file trains that detector. The spec travels inside the run's resolved recipe, so a
run needs the file no more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from ligera.errors import ModelError, RecipeError
from ligera.files import write_bytes
from ligera.models.specs import DetectorSpec

__all__ = ["SUFFIXES", "NamedArchitecture", "dump_architecture", "read_architecture", "write_architecture"]

SUFFIXES = (".yaml", ".yml")
MOST_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class NamedArchitecture:
    """A detector's spec under the name it was given; ``facts`` is what its file says beside (costs, origin)."""

    name: str
    spec: DetectorSpec
    facts: dict[str, Any]


def dump_architecture(named: NamedArchitecture) -> str:
    """YAML that ``read_architecture`` reads back to an equal record."""
    values = {"name": named.name, **named.facts, "architecture": _plain(asdict(named.spec))}
    return yaml.safe_dump(values, sort_keys=False, width=120)


def write_architecture(path: Path, named: NamedArchitecture) -> None:
    """The file, whole or not at all."""
    write_bytes(path, dump_architecture(named).encode())


def read_architecture(path: Path) -> NamedArchitecture:
    """The detector in an architecture file; ``RecipeError`` in one line where there is none."""
    values = _values(path)
    if not isinstance(values, dict) or not {"name", "architecture"} <= set(values):
        raise RecipeError(
            f"{path}: no architecture file, which has the keys name and architecture; "
            "'ligera search' writes one, model also takes a name from 'ligera models'"
        )
    name, spec = str(values.pop("name")), values.pop("architecture")
    try:
        return NamedArchitecture(name, TypeAdapter(DetectorSpec).validate_python(spec), values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"{path}: architecture.{where}: {first['msg'].lower()}") from None
    except ModelError as error:
        raise RecipeError(f"{path}: architecture: {error}") from None


def _values(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise RecipeError(f"{path}: longer than {MOST_BYTES // 2**10} KiB, so no architecture file")
        return yaml.safe_load(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = (getattr(error, "strerror", None) or "").lower() or "not YAML text"
        raise RecipeError(f"{path}: cannot be read as an architecture ({reason})") from None


def _plain(value: Any) -> Any:
    """Tuples as lists, which YAML can say."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
