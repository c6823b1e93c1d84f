"""Study ``transfer``: which frozen base, under which head, tells one person from others (paper E).

Each base that has weights here is run as the paper runs it, ``pooled``, and with the head that ``ligera enroll`` takes,
``places``. As many faces of others as of the person; other people are in one part only. What differs from the paper:
features are computed once and kept, with one variation of each training face, so an epoch is one of the head alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from ligera.deploy.enrolling.enroll import EnrollOptions, find_photos
from ligera.deploy.enrolling.parts import split_faces
from ligera.deploy.enrolling.photos import Faces, Sighting, list_people, list_sightings
from ligera.errors import DataError, ModelError, RecipeError
from ligera.meter.hardware import processor_name
from ligera.studies.report import Report
from ligera.studies.transfer import tables
from ligera.studies.transfer.trial import HEADS, Trial, open_base, run_trial
from ligera.studies.trials import Listener
from ligera.train.recognition.bases import BASES
from ligera.typed_yaml import Frozen

# The paper's 700, 300 and 100 of 1,100 pictures.
SHARES = (7 / 11, 3 / 11, 1 / 11)
SUFFIXES = (".safetensors", ".pth")


class Settings(Frozen):
    """``data`` holds the folders ``person`` and ``others``; ``faces`` of either are taken, as the paper's 550, or as
    many as there are. ``weights`` is a folder with ``BASE.safetensors`` or ``BASE.pth``; without a file there, timm's
    cache is looked into. ``alignment`` as in ``FaceRule``. ``far`` is the false-accept rate on validation. ``seeds``
    splits and heads are made."""

    data: Path
    person: str = "bush"
    others: str = "others"
    weights: Path | None = None
    bases: tuple[str, ...] = tuple(BASES)
    heads: tuple[str, ...] = HEADS
    faces: int = Field(550, ge=20)
    seeds: int = Field(5, ge=1, le=100, exclude=True)
    far: float = Field(0.01, gt=0, lt=1)
    side_px: int = Field(128, ge=64, le=512)
    alignment: Literal["box", "landmarks"] = "landmarks"
    threads: int = Field(2, ge=1)


QUICK = {"seeds": 2, "faces": 150}


@dataclass(frozen=True, slots=True)
class Missing:
    """A base that could not be measured, and why."""

    base: str
    reason: str


def study(settings: Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Run every base at hand under every head, ``seeds`` times each."""
    for name, asked, known in (("bases", settings.bases, tuple(BASES)), ("heads", settings.heads, HEADS)):
        wrong = [value for value in asked if value not in known]
        if wrong or not asked:
            raise RecipeError(f"{name}: expected some of {', '.join(known)}, got {wrong[0] if wrong else 'none'!r}")
    ready, missing = _at_hand(settings)
    if not ready:
        raise DataError(f"no base has weights here: {missing[0].reason}")
    options = EnrollOptions(
        far=settings.far, side_px=settings.side_px, alignment=settings.alignment, threads=settings.threads
    )
    faces = _faces(settings, options)
    trials: list[Trial] = []
    for base in ready:
        for head in settings.heads:
            if tell:
                tell({"trial": f"{base}, {head}"})
            opened = open_base(base, _file(settings, base), head, options)
            for seed in range(settings.seeds):
                parts = split_faces(faces, seed, SHARES)
                trials.append(run_trial(opened, faces, parts, replace(options, head=head, seed=seed)))
    note = _note(settings, faces, trials)
    lost = [(entry.base, tables.command(entry.base)) for entry in missing]
    found = tables.result_table(trials, lost, note)
    said = (*tables.said(trials), *(f"not measured: {entry.reason}" for entry in missing))
    pictures = (
        tables.draw(trials, folder / "transfer.png"),
        tables.draw_curves(trials, settings.far, folder / "roc.png"),
    )
    return Report("One person among others, by transfer", (found,), said, pictures)


def _at_hand(settings: Settings) -> tuple[list[str], list[Missing]]:
    """Bases whose weights can be read, and the others with the reason."""
    ready, missing = [], []
    for base in settings.bases:
        try:
            open_base(base, _file(settings, base), settings.heads[0], None)
        except ModelError as error:
            missing.append(Missing(base, str(error)))
        else:
            ready.append(base)
    return ready, missing


def _file(settings: Settings, base: str) -> Path | None:
    if settings.weights is None:
        return None
    if not settings.weights.is_dir():
        raise DataError(f"{settings.weights}: no such folder; expected one with BASE.safetensors or BASE.pth")
    files = (settings.weights / f"{base}{suffix}" for suffix in SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _faces(settings: Settings, options: EnrollOptions) -> Faces:
    """As many squared faces of others as of the person, both drawn with seed 0."""
    people = list_people(settings.data / settings.person, settings.person)
    listed = list_sightings(people, settings.data / settings.others)
    random = np.random.default_rng(0)
    own, strangers = ([entry for entry in listed if entry.label == label] for label in (0, -1))
    count = min(settings.faces, len(own), len(strangers))
    chosen: list[Sighting] = []
    for part in (own, strangers):
        chosen += [part[i] for i in sorted(random.permutation(len(part))[:count])]
    return find_photos(tuple(people), chosen, options)


def _note(settings: Settings, faces: Faces, trials: list[Trial]) -> str:
    labels = faces.labels
    parts = trials[0].counts
    return (
        f"{processor_name()}, {settings.threads} threads. {int((labels == 0).sum())} faces of {settings.person}, "
        f"{int((labels < 0).sum())} of others, {settings.side_px} px, squared by {settings.alignment}; "
        f"{parts[0]} train, {parts[1]} validation, {parts[2]} test (paper: 700, 300, 100), {settings.seeds} seeds, "
        "each a split of its own; other people are "
        "in one part only. Accuracy and loss at logit 0 as in the paper, on the test part; mean and half the 95 % "
        f"interval over seeds. At FAR {settings.far:g}: threshold set on validation. Own accepted and others accepted: "
        "test faces of all seeds together, which share pictures, so no interval is given. Time per epoch: the head "
        "alone, as the base's features are computed once; total: features, with one variation of each training face, "
        "and head. The paper's own figures are not known to this project."
    )
