"""ROC curves of the persons enrolled, with the chosen point on each, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ligera.deploy.enrolling.operating import roc_points
from ligera.errors import MissingExtra
from ligera.files import write_whole

__all__ = ["draw_roc"]


def draw_roc(
    parts: dict[str, tuple[np.ndarray, np.ndarray]], names: tuple[str, ...], thresholds: np.ndarray, path: Path
) -> None:
    """``parts`` are logits ``(N, K)`` and labels ``(N,)`` by the part's name; a panel each, written to ``path``."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra("matplotlib", "train", "drawing ROC curves") from None
    matplotlib.use("agg")
    figure = Figure(figsize=(4.6 * len(parts), 4.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(parts)))
    for panel, (part, (logits, labels)) in zip(panels, parts.items(), strict=True):
        fewest = 0.5 / max(int((labels != 0).sum()), 1)
        for person, name in enumerate(names):
            own = labels == person
            false_rate, hit_rate = roc_points(logits[:, person], own)
            (line,) = panel.plot(np.maximum(false_rate, fewest), hit_rate, drawstyle="steps-post", label=name[:24])
            above = logits[:, person] > thresholds[person]
            chosen = float(above[~own].mean()) if (~own).any() else 0.0, float(above[own].mean()) if own.any() else 0.0
            panel.plot(max(chosen[0], fewest), chosen[1], "o", color=line.get_color())
        panel.set_xscale("log")
        panel.set_title(f"{part}: {int((labels >= 0).sum())} own, {int((labels < 0).sum())} other faces", fontsize=10)
        panel.set_xlabel("others taken for the person")
        panel.set_ylabel("own faces accepted")
        panel.grid(alpha=0.3, which="both")
        if len(names) <= 12:
            panel.legend(fontsize=8, loc="lower right")
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
