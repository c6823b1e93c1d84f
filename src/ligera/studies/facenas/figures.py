"""Pictures of the study: where searches land, and AP against latency."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ligera.files import write_whole
from ligera.studies.facenas.plan import Results
from ligera.studies.facenas.tables import WITHIN, scores

matplotlib.use("agg")

__all__ = ["draw"]


def draw(results: Results, folder: Path) -> list[Path]:
    """``landing.png``: each seed's likeliest net over the target; ``pay.png``: AP50 against the table's latency."""
    return [_landing(results, folder / "landing.png"), _pay(results, folder / "pay.png")]


def _landing(results: Results, path: Path) -> Path:
    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    for place, loss in enumerate(results.settings.losses):
        values = [one.likely for one in results.landings if one.loss == loss]
        spots = place + np.linspace(-0.15, 0.15, len(values))
        panel.scatter(spots, values, s=18, label=loss)
    panel.axhspan(1 - WITHIN, 1 + WITHIN, color="0.9", zorder=0)
    panel.axhline(1.0, color="0.4", linewidth=1)
    panel.set_xticks(range(len(results.settings.losses)), results.settings.losses)
    panel.set_ylabel("latency of the likeliest net over the target")
    panel.set_title(f"Where searches land, target {results.target_ms:g} ms (grey: within {WITHIN:.0%})")
    return _written(figure, path)


def _pay(results: Results, path: Path) -> Path:
    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    space = results.costs.space
    for kind, runs in results.contenders.items():
        if runs[0].architecture is None:
            panel.axhline(float(np.mean(scores(runs))), linestyle="--", linewidth=1, color="0.4")
            panel.annotate(kind, (0.01, float(np.mean(scores(runs)))), xycoords=("axes fraction", "data"), fontsize=8)
            continue
        times = [results.table.latency_ms(space.architecture(one.model)) for one in runs]
        panel.scatter(times, scores(runs), s=24, label=kind)
    panel.set_xlabel("latency by the table, ms")
    panel.set_ylabel("AP50 on validation, %")
    panel.set_title("One recipe, equal total time (dashed: nets outside the space)")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    return _written(figure, path)


def _written(figure: Figure, path: Path) -> Path:
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return path
