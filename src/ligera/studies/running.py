"""From a study's name to its report on disk."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ligera.errors import DataError, RecipeError
from ligera.files import write_bytes
from ligera.studies.report import Report
from ligera.studies.trials import Listener
from ligera.typed_yaml import explain, is_mapping, overridden, read_yaml, shown

SETTINGS = "settings.yaml"
# Each module has Settings, QUICK (what a small version changes in them) and study(settings, folder, tell) -> Report;
# REMADE names files, if any, that it makes again from its settings alone.
MODULES = {
    "dynamic": "ligera.studies.dynamic.study",
    "dynamic-faces": "ligera.studies.dynamic.faces",
    "detectors": "ligera.studies.detectors.study",
    "mtcnn-parallel": "ligera.studies.mtcnn_parallel.study",
    "transfer": "ligera.studies.transfer.study",
    "facenas": "ligera.studies.facenas.study",
    "engines": "ligera.studies.engines.study",
    "manuscripts": "ligera.studies.manuscripts.study",
}


def run_study(name: str, overrides: tuple[str, ...], quick: bool, folder: Path, tell: Listener | None) -> Report:
    """Everything ``name`` asks for, into ``folder``; ``DataError`` where it was begun there with other settings."""
    module = importlib.import_module(MODULES[name])
    settings = read_settings(name, module, overrides, quick)
    keep_settings(settings, folder, getattr(module, "REMADE", ()))
    report = module.study(settings, folder, tell)
    report.write(folder)
    return report


def read_settings(name: str, module: Any, overrides: tuple[str, ...], quick: bool) -> BaseModel:
    """The settings of a study's module, each path in them made absolute; ``RecipeError`` for a wrong one."""
    values = overridden(dict(module.QUICK) if quick else {}, overrides)
    try:
        settings = module.Settings.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"study {name}: {explain(error.errors()[0], module.Settings)}") from None
    return settings.model_copy(update={key: value.resolve() for key, value in settings if isinstance(value, Path)})


def keep_settings(settings: BaseModel, folder: Path, remade: tuple[str, ...] = ()) -> None:
    """Remember the settings, so that what a study has made is never continued under others.

    Fields with ``exclude=True`` bind nobody: they say how many of the trials are asked for, or how they are shown. Nor
    does a command bind that ended before it made anything but ``remade``, files that follow from the settings alone.
    """
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
    kept = folder / SETTINGS
    other = _first_other(kept, yaml.safe_load(text)) if kept.is_file() else None
    if other is not None:
        if _holds_more_than(folder, (SETTINGS, *remade)):
            raise DataError(f"{folder}: was begun with other settings ({other}); give another --runs folder")
        for name in remade:
            (folder / name).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(kept, text.encode())


def _first_other(kept: Path, asked: dict[str, Any]) -> str | None:
    """The first of the settings ``asked`` that the file ``kept`` says otherwise, in words."""
    values = read_yaml(kept, "settings")
    there = values if is_mapping(values) else {}
    for name, value in asked.items():
        if name not in there or there[name] != value:
            return f"{name}: {shown(there.get(name))} there, {shown(value)} now"
    return None


def _holds_more_than(folder: Path, names: tuple[str, ...]) -> bool:
    """Whether any file is below ``folder`` but those ``names`` and hidden ones, which are locks and halves of files."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return any(str(path.relative_to(folder)) not in names for path in files)
