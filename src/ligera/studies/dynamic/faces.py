"""Study ``dynamic-faces``: the same samplers on face detection, which paper D leaves as future work.

Each sampler shows as many samples in all: the ones that show half of them an epoch have twice the epochs, and so twice
the validation, which their time includes. The figure is average precision over time; the table, when a given one was
reached. Pictures are shown singly, since a mosaic's other tiles come from all pictures, whatever the sampler chose.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from ligera.files import write_whole
from ligera.studies.report import Report
from ligera.studies.statistics import spread
from ligera.studies.table import Table
from ligera.studies.trials import Listener, Outcome, Trial, place, run_trials
from ligera.typed_yaml import Frozen

matplotlib.use("agg")

BASE = "full"


class Settings(Frozen):
    """``data`` is a folder with RetinaFace labels, ``validation`` another; ``epochs`` are those of full training.

    ``seeds`` and ``levels`` may change from one command to the next in one run folder, whose trainings are kept.
    """

    data: Path
    validation: Path
    model: str = "face-small"
    side_px: int = 256
    batch: int = Field(8, ge=1)
    epochs: int = Field(20, ge=1)
    samples_per_epoch: int = Field(3200, ge=2)
    alpha: float = Field(0.5, gt=0, lt=1)
    beta: float = Field(0.7, ge=0, le=1)
    seeds: int = Field(3, ge=1, exclude=True)
    levels: tuple[float, ...] = Field((0.1, 0.2, 0.3, 0.4, 0.5), exclude=True)
    precision: str = "bf16"
    threads: int | None = None
    workers: int = Field(1, ge=0)


QUICK = {"epochs": 2, "samples_per_epoch": 400, "seeds": 1, "side_px": 160, "levels": (0.005, 0.01, 0.02)}


def study(settings: Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Train what is missing in ``folder``, then say when each sampler reached what."""
    runs: dict[str, list[Outcome]] = {}
    for seed in range(settings.seeds):
        for name in (BASE, "dynamic", "rs2"):
            trial = _trial(settings, name, seed)
            runs.setdefault(name, []).append(run_trials([trial], folder, tell)[trial.name])
    picture = _draw(runs, folder / "faces.png")
    table = _table(settings, runs, place(settings.threads, settings.precision))
    return Report("Dynamic sampling of faces", (table,), (_said(runs),), (picture,))


def _trial(settings: Settings, name: str, seed: int) -> Trial:
    sampler = {"kind": name} | ({} if name == BASE else {"alpha": settings.alpha})
    recipe = {
        "model": settings.model,
        "data": [{"path": str(settings.data)}],
        "validation": str(settings.validation),
        "side_px": settings.side_px,
        "augment": {"crop_ratios": [0.45, 0.6, 0.8, 1.0, 1.25, 1.5], "keep_face_px": 8.0, "min_face_px": 4.0},
        "seed": seed,
        "batch": settings.batch,
        "epochs": settings.epochs if name == BASE else round(settings.epochs / settings.alpha),
        "samples_per_epoch": settings.samples_per_epoch,
        "sampler": sampler | ({"beta": settings.beta} if name == "dynamic" else {}),
        "learning_rate": 0.0015,
        "warmup_steps": 100,
        "ema_decay": 0.998,
        "precision": settings.precision,
        "threads": settings.threads,
        "workers": settings.workers,
    }
    return Trial(f"{name}-seed{seed}", recipe)


def _table(settings: Settings, runs: dict[str, list[Outcome]], where: str) -> Table:
    columns = ("sampler", *(f"s to AP50 {level:g}" for level in settings.levels), "last AP50", "total s")
    rows = [
        (
            name,
            *(_reached(own, level) for level in settings.levels),
            f"{spread([run.last('ap50') for run in own]).mean:.3f}",
            f"{np.median([run.seconds for run in own]):.0f}",
        )
        for name, own in runs.items()
    ]
    note = (
        f"{settings.seeds} paired seeds, {where}; seconds with selection and validation, median over the seeds that "
        "reached it (how many of all in brackets); AP50 on the validation pictures, which steer the dynamic sampler."
    )
    return Table("Time to a given average precision", columns, tuple(rows), note)


def _reached(runs: list[Outcome], level: float) -> str:
    times = [time for run in runs if (time := _time_to(run, level)) is not None]
    return f"{np.median(times):.0f} ({len(times)}/{len(runs)})" if times else f"- (0/{len(runs)})"


def _time_to(run: Outcome, level: float) -> float | None:
    """Seconds until the first epoch whose AP50 is ``level`` or more."""
    seconds = 0.0
    for row in run.history:
        seconds += row["train_s"] + row["select_s"] + row["evaluate_s"]
        if row["ap50"] >= level:
            return seconds
    return None


def _said(runs: dict[str, list[Outcome]]) -> str:
    means = {name: spread([run.last("ap50") for run in own]).mean for name, own in runs.items()}
    best = max(means, key=lambda name: means[name])
    return f"after as many samples, {best} has the highest mean AP50: " + ", ".join(
        f"{name} {mean:.3f}" for name, mean in means.items()
    )


def _draw(runs: dict[str, list[Outcome]], path: Path) -> Path:
    """Average precision over seconds, a line for each run, a colour for each sampler."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    for number, (name, own) in enumerate(runs.items()):
        for run in own:
            rows = run.history
            seconds = np.cumsum([row["train_s"] + row["select_s"] + row["evaluate_s"] for row in rows])
            label = name if run is own[0] else None
            panel.plot(seconds, [row["ap50"] for row in rows], color=f"C{number}", label=label, linewidth=1.4)
    panel.set_xlabel("seconds, with selection and validation")
    panel.set_ylabel("AP50 on validation pictures")
    panel.grid(alpha=0.3)
    panel.legend()
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return path
