"""Drawn pages in two parts, a network of a few hundredths of a second a step, and runs that nobody trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ligera.meter import Meter
from ligera.models.layout_catalogue import LAYOUT_DETECTORS, find_layout
from ligera.models.layout_specs import VoVNetSpec
from ligera.studies.manuscripts import worker
from ligera.studies.manuscripts.cases import Case
from ligera.studies.manuscripts.judging import FIGURES, KINDS, Scores
from ligera.studies.manuscripts.measured import Run
from ligera.studies.manuscripts.process import Ending
from ligera.studies.manuscripts.settings import Settings
from ligera.studies.manuscripts.trial import Job

from ...train.regions.conftest import write_drawn_pages

PAGES = 4


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``train`` and ``val``."""
    folder = tmp_path_factory.mktemp("manuscripts")
    write_drawn_pages(folder / "train", PAGES)
    write_drawn_pages(folder / "val", 2, seed=1)
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A network called ``tiny``."""
    backbone = VoVNetSpec((1, 1, 1, 1), layers=1, stem=(8, 8, 8), widths=(8, 8, 8, 8), channels=(16, 16, 16, 16))
    sizes = {"pyramid_channels": 16, "box_channels": 32, "mask_layers": 1, "mask_channels": 16, "box_samples": 32}
    few = {"train_candidates": 60, "train_proposals": 60, "anchor_samples": 64}
    spec = replace(find_layout("layout-small"), backbone=backbone, **sizes, **few)
    monkeypatch.setitem(LAYOUT_DETECTORS, "tiny", spec)
    return "tiny"


@pytest.fixture
def settings(pages: Path) -> Callable[..., Settings]:
    """Settings for the drawn pages, with changes."""

    def make(**changes: Any) -> Settings:
        small = {"data": pages, "side_px": 160, "threads": 1, "optimizer": "adamw", "learning_rate": 1e-3}
        return Settings.model_validate(small | {"timed_steps": 0} | changes)

    return make


def in_this_process(job: Job, tell: Callable[[dict], None] | None = None) -> Ending:
    """What the worker does, without a process of its own."""
    rows: list[dict] = []

    def say(row: dict) -> None:
        rows.append(row)
        if tell and "ended" not in row:
            tell(row)

    worker.main(job.to_json(), say)
    return Ending(**rows[-1])


def scores(ap: float) -> Scores:
    """All figures alike, 0 to 1, but none for small regions."""
    figures = dict.fromkeys(FIGURES, ap) | {"ap_medium": None}
    return Scores(dict.fromkeys(KINDS, figures), {kind: {"staff": figures} for kind in KINDS}, 6, "some protocol")


def made_up(case: Case, seed: int = 0, ap: float = 0.5, minutes: float = 10.0, kwh: float | None = 0.1) -> Run:
    euros = None if kwh is None else 0.25 * kwh
    return Run(case, seed, scores(ap), minutes, 0.9 * minutes, 100, 1000.0, "host", kwh, euros, "estimated")


def finish(job: Job) -> None:
    """Leave in the folder what a trial leaves that was trained and scored, or a backbone whose steps were timed."""
    job.answer.parent.mkdir(parents=True, exist_ok=True)
    if job.kind == "steps":
        found = {
            "backbone": job.recipe["model"],
            "batch": 2,
            "step_s": [0.2, 0.4],
            "cpu_s": [0.2, 0.3],
            "memory_mib": 900.0,
        }
        job.answer.write_text(json.dumps(found | {"memory_of": "host", "foretold_mb": 700.0}))
        return
    with Meter(job.place / "cost.json", background=False) as meter, meter.phase("train"):
        sum(range(100_000))
    row = {"epoch": 1, "steps": 7, "train_s": 60.0, "select_s": 0.0, "pictures": 14}
    (job.place / "recipe.yaml").write_text("")
    (job.place / "environment.json").write_text(json.dumps({"device": "cpu"}))
    (job.place / "history.jsonl").write_text(json.dumps(row) + "\n")
    (job.place / "result.json").write_text(json.dumps({"closing": {}}))
    figures = dict.fromkeys(FIGURES, 0.5)
    kinds = {kind: {"all": figures, "classes": {"band": figures, "disc": figures}} for kind in KINDS}
    job.answer.write_text(json.dumps({"pages": 2, "protocol": "some protocol", **kinds}))
