"""The paper's figures 6.5 to 6.9 for this machine: score, latency, speed-up, throughput and its gain, as bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from ligera.files import write_whole
from ligera.studies.engines.contenders import REFERENCE
from ligera.studies.engines.tables import Entry, find

__all__ = ["draw_all"]

matplotlib.use("agg")

Value = Callable[[Entry, Sequence[Entry]], float | None]


def draw_all(entries: Sequence[Entry], folder: Path) -> tuple[Path, ...]:
    """One picture for each of the paper's five."""
    figures: tuple[tuple[str, str, Value], ...] = (
        ("6.5-score", "score, points (AP50 or accuracy)", lambda entry, _: entry.verdict.points),
        ("6.6-latency", "latency, ms (in, network and out)", lambda entry, _: entry.run and entry.run.latency_ms),
        ("6.7-speedup", "times as fast as torch eager", _speedup),
        ("6.8-throughput", "pictures a second", lambda entry, _: entry.run and entry.run.throughput),
        ("6.9-throughput-gain", "times the pictures of torch eager", _gain),
    )
    return tuple(_draw(entries, title, value, folder / f"figure-{name}.png") for name, title, value in figures)


def _speedup(entry: Entry, entries: Sequence[Entry]) -> float | None:
    other = find(entries, entry.contender.model, REFERENCE.key)
    if entry.run is None or other is None or other.run is None:
        return None
    return entry.run.faster_than(other.run)[0]


def _gain(entry: Entry, entries: Sequence[Entry]) -> float | None:
    other = find(entries, entry.contender.model, REFERENCE.key)
    return (
        None if entry.run is None or other is None or other.run is None else entry.run.throughput / other.run.throughput
    )


def _draw(entries: Sequence[Entry], title: str, value: Value, path: Path) -> Path:
    """Models side by side, in each a bar for every engine; what is unknown says so."""
    models = list(dict.fromkeys(entry.contender.model for entry in entries))
    engines = list(dict.fromkeys(entry.contender.engine for entry in entries))
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False)[0]
    for panel, model in zip(panels, models, strict=True):
        own = [entry for entry in entries if entry.contender.model == model]
        for entry in own:
            height = value(entry, entries)
            place = engines.index(entry.contender.engine)
            bar = panel.bar(place, height or 0, color=f"C{place}")
            if height is not None:
                panel.bar_label(bar, fmt="%.3g", fontsize=7)
            else:
                across = panel.get_xaxis_transform()
                panel.text(place, 0.02, "unknown", rotation=90, transform=across, ha="center", va="bottom", fontsize=7)
        panel.set_title(model, fontsize=10)
        names = [f"{engine.runtime}\n{engine.precision}" for engine in engines]
        panel.set_xticks(range(len(engines)), names, rotation=60, fontsize=7)
        panel.margins(y=0.15)
        panel.set_ylim(bottom=0)
        panel.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel(title)
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return path
