"""Figures 8 to 13 of paper D: accuracy over epochs and over time, mean and deviation over seeds."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ligera.files import write_whole
from ligera.studies.dynamic.plan import Results
from ligera.studies.trials import Outcome

matplotlib.use("agg")


def draw(results: Results, folder: Path) -> list[Path]:
    """A picture for each choice of augmentation: by epoch on the left, by seconds on the right."""
    return [_draw(results, augmented, folder) for augmented in results.settings.augmented]


def _draw(results: Results, augmented: bool, folder: Path) -> Path:
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    by_epoch, by_time = figure.subplots(1, 2, sharey=True)
    for (name, own), runs in results.compared.items():
        if own != augmented:
            continue
        score, deviation = _curve(runs)
        seconds = np.mean([_seconds(run) for run in runs], axis=0)
        for panel, x in ((by_epoch, np.arange(1, len(score) + 1)), (by_time, seconds)):
            (line,) = panel.plot(x, score, label=name, linewidth=1.5)
            panel.fill_between(x, score - deviation, score + deviation, color=line.get_color(), alpha=0.15)
    by_epoch.set_xlabel("epoch")
    by_time.set_xlabel("seconds, with selection and validation")
    by_epoch.set_ylabel("accuracy on held-out pictures, %")
    by_epoch.legend(fontsize=8)
    for panel in (by_epoch, by_time):
        panel.grid(alpha=0.3)
    figure.suptitle(f"{'With' if augmented else 'Without'} augmentation, mean and deviation of {len(runs)} seeds")
    path = folder / f"curves{'-augmented' if augmented else ''}.png"
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return path


def _curve(runs: list[Outcome]) -> tuple[np.ndarray, np.ndarray]:
    score = 100 * np.array([[row["accuracy"] for row in run.history] for run in runs])
    return score.mean(axis=0), score.std(axis=0)


def _seconds(run: Outcome) -> np.ndarray:
    return np.cumsum([row["train_s"] + row["select_s"] + row["evaluate_s"] for row in run.history])
