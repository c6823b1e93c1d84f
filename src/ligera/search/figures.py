"""The course of a search by gates, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from ligera.files import write_whole

matplotlib.use("agg")

__all__ = ["draw_search"]


def draw_search(history: list[dict[str, Any]], path: Path) -> None:
    """Cost over the target, entropy of the gates and losses over epochs, side by side, as PNG; warm-up shaded."""
    if not history:
        return
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    losses = sorted({name for row in history for name in row if name.startswith("loss_")})
    kinds = (
        ("cost over target", ("expected_relative", "likely_relative")),
        ("entropy of the gates", ("entropy",)),
        ("loss", losses),
    )
    warm = sum(bool(row["warm_up"]) for row in history)
    for panel, (title, names) in zip(panels, kinds, strict=True):
        for name in names:
            points = [(row["epoch"], row[name]) for row in history if name in row]
            label = name.removeprefix("loss_").removesuffix("_relative")
            panel.plot(*zip(*points, strict=True), label=label, linewidth=1.5, marker=".")
        if warm:
            panel.axvspan(history[0]["epoch"] - 0.5, warm + 0.5, color="0.92", zorder=0)
        panel.set_xlabel("epoch (warm-up shaded)" if warm else "epoch")
        panel.set_title(title)
        panel.grid(alpha=0.3)
        if len(names) > 1:
            panel.legend(fontsize=8)
    panels[0].axhline(1.0, color="0.4", linewidth=1, linestyle="--")
    panels[1].set_ylim(0, 1.05)
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
