"""From a study's name to its report on disk: settings, trials, tables, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ligera.errors import DataError, RecipeError
from ligera.files import write_bytes
from ligera.meter.hardware import available_threads, processor_name
from ligera.studies import dynamic, dynamic_figures, dynamic_report
from ligera.studies.table import Table
from ligera.train.reading import explain, overridden

SETTINGS = "settings.yaml"


@dataclass(frozen=True, slots=True)
class Report:
    """What a study found: its tables, what they say, its pictures."""

    title: str
    tables: tuple[Table, ...]
    said: tuple[str, ...]
    pictures: tuple[Path, ...]

    def as_markdown(self) -> str:
        said = "".join(f"- {sentence}.\n" for sentence in self.said)
        return "\n".join([f"# {self.title}\n", *(table.as_markdown() for table in self.tables), said])

    def as_dict(self) -> dict[str, Any]:
        tables = [table.as_dict() for table in self.tables]
        return {"tables": tables, "said": list(self.said), "pictures": [str(path) for path in self.pictures]}


def run_study(
    name: str, overrides: tuple[str, ...], quick: bool, folder: Path, tell: Callable[[dict[str, Any]], None]
) -> Report:
    """Everything ``name`` asks for, into ``folder``; ``DataError`` where it was begun there with other settings."""
    settings = _settings(overrides, quick)
    _keep(settings, folder)
    results = dynamic.run(settings, folder, tell)
    where = f"{processor_name()}, {settings.threads or available_threads()} threads, {settings.precision}"
    tables = tuple(dynamic_report.tables(results, where))
    pictures = tuple(dynamic_figures.draw(results, folder))
    report = Report("Dynamic training", tables, tuple(dynamic_report.verdict(results)), pictures)
    write_bytes(folder / "report.md", report.as_markdown().encode())
    write_bytes(folder / "report.json", (json.dumps(report.as_dict(), indent=2) + "\n").encode())
    return report


def _settings(overrides: tuple[str, ...], quick: bool) -> dynamic.Settings:
    values = overridden(dict(dynamic.QUICK) if quick else {}, overrides)
    try:
        settings = dynamic.Settings.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"study dynamic: {explain(error.errors()[0], dynamic.Settings)}") from None
    return settings.model_copy(update={"data": settings.data.resolve()})


def _keep(settings: dynamic.Settings, folder: Path) -> None:
    """Remember the settings, so that a study is never continued under others."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
    kept = folder / SETTINGS
    if kept.is_file() and kept.read_text() != text:
        raise DataError(f"{folder}: was begun with other settings (see {SETTINGS}); give another --runs folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(kept, text.encode())
