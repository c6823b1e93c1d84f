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
from ligera.typed_yaml import explain, overridden

SETTINGS = "settings.yaml"
# Each module has Settings, QUICK (what a small version changes in them) and study(settings, folder, tell) -> Report.
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
    keep_settings(settings, folder)
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


def keep_settings(settings: BaseModel, folder: Path) -> None:
    """Remember the settings, so that a study is never continued under others."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
    kept = folder / SETTINGS
    if kept.is_file() and kept.read_text() != text:
        raise DataError(f"{folder}: was begun with other settings (see {SETTINGS}); give another --runs folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(kept, text.encode())
