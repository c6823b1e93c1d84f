"""The curves of a training run, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from ligera.files import write_whole

matplotlib.use("agg")

SCORES = ("ap", "accuracy")


def draw_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Loss parts, scores and learning rate over epochs, side by side, as PNG."""
    if not history:
        return
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    names = {key for row in history for key in row}
    kinds = ("loss", "loss_"), ("score", SCORES), ("learning rate", "learning_rate")
    for panel, (title, prefix) in zip(panels, kinds, strict=True):
        for name in sorted(name for name in names if name.startswith(prefix)):
            points = [(row["epoch"], row[name]) for row in history if name in row]
            panel.plot(*zip(*points, strict=True), label=name.removeprefix("loss_"), linewidth=1.5)
        panel.set_xlabel("epoch")
        panel.set_title(title)
        panel.grid(alpha=0.3)
        if panel.lines and title != "learning rate":
            panel.legend(fontsize=8)
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
