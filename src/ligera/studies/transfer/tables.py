"""The study's figures as a table, sentences and a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ligera.files import write_whole
from ligera.studies.statistics import paired, spread
from ligera.studies.table import Table
from ligera.studies.transfer.trial import Trial
from ligera.train.recognition.bases import BASES

__all__ = ["command", "draw", "draw_curves", "result_table", "said"]

matplotlib.use("agg")

COLUMNS = ("base", "paper's name", "head", "accuracy", "loss", "accuracy at FAR", "own accepted", "others accepted")
COLUMNS += ("epochs", "ms per epoch", "features s", "total s")


def result_table(trials: list[Trial], missing: list[tuple[str, str]], note: str) -> Table:
    """A row for each base and head, then those not measured with what would measure them."""
    rows = [_row(group) for group in _groups(trials)]
    empty = ("",) * (len(COLUMNS) - 4)
    rows += [(base, BASES[base].title, "", f"not measured: {wanted}", *empty) for base, wanted in missing]
    return Table("Frozen bases, one logit (paper E)", COLUMNS, tuple(rows), note)


def command(base: str) -> str:
    """What its user runs to have ``base`` measured too."""
    return f"put {base}.safetensors into DIR, then ligera study transfer data=... weights=DIR bases='[{base}]'"


def said(trials: list[Trial]) -> tuple[str, ...]:
    """What follows: the best by accuracy at the threshold, and what the head alone changes."""
    groups = _groups(trials)
    best = max(groups, key=lambda group: float(np.mean([t.outcome.accuracy.value for t in group])))
    accuracy = spread([trial.outcome.accuracy.value for trial in best])
    sentences = [f"best at the threshold: {best[0].base}, {best[0].head}, accuracy {accuracy.mean:.3f}"]
    by_key = {(group[0].base, group[0].head): group for group in groups}
    for base in dict.fromkeys(trial.base for trial in trials):
        if {(base, "places"), (base, "pooled")} <= by_key.keys():
            values = [[trial.accuracy for trial in by_key[base, head]] for head in ("places", "pooled")]
            gain = paired(*values)
            half = f" +- {100 * gain.half:.1f}" if gain.n > 1 else ""
            sentences.append(
                f"{base}: knowing the places in the face instead of averaging over them changes accuracy by "
                f"{100 * gain.mean:+.1f}{half} points (paired, n {gain.n})"
            )
    return tuple(sentences)


def draw(trials: list[Trial], path: Path) -> Path:
    """Accuracy at logit 0 over total time, a dot for each seed."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    for number, group in enumerate(_groups(trials)):
        marker = "o" if group[0].head == "places" else "x"
        label = f"{group[0].base}, {group[0].head}"
        points = [[t.total_s for t in group], [t.accuracy for t in group]]
        panel.plot(*points, marker, color=f"C{number % 10}", label=label)
    panel.set_xlabel("features and head, s")
    panel.set_ylabel("accuracy on people never seen")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return path


def draw_curves(trials: list[Trial], far: float, path: Path) -> Path:
    """ROC curves on the test part, the mean over seeds at each false-accept rate."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    rates = np.linspace(0, 0.2, 401)
    for number, group in enumerate(_groups(trials)):
        # a rate that no threshold gives exactly allows what the next lower one does
        hits = [hit[np.searchsorted(false, rates, side="right") - 1] for false, hit in (t.curve for t in group)]
        style = "-" if group[0].head == "places" else "--"
        label = f"{group[0].base}, {group[0].head}"
        panel.plot(100 * rates, np.mean(hits, axis=0), style, color=f"C{number % 10}", label=label)
    panel.axvline(100 * far, color="0.7", linewidth=1, zorder=0)
    panel.set_xlabel("others taken for the person, %")
    panel.set_ylabel("own faces accepted")
    panel.set_ylim(top=1.02)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8, loc="lower right")
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return path


def _groups(trials: list[Trial]) -> list[list[Trial]]:
    """Trials by base and head, in the order in which they came."""
    keys = dict.fromkeys((trial.base, trial.head) for trial in trials)
    return [[trial for trial in trials if (trial.base, trial.head) == key] for key in keys]


def _row(group: list[Trial]) -> tuple[str, ...]:
    first = group[0]
    own = [trial.outcome.accepted for trial in group]
    others = [trial.outcome.false_accepts for trial in group]
    return (
        first.base,
        BASES[first.base].title or "-",
        first.head,
        _spread([trial.accuracy for trial in group]),
        _spread([trial.loss for trial in group]),
        _spread([trial.outcome.accuracy.value for trial in group]),
        f"{sum(s.right for s in own)}/{sum(s.total for s in own)}",
        f"{sum(s.right for s in others)}/{sum(s.total for s in others)}",
        f"{np.mean([trial.epochs for trial in group]):.0f}",
        f"{1000 * np.mean([trial.epoch_s for trial in group]):.0f}",
        f"{np.mean([trial.features_s for trial in group]):.1f}",
        f"{np.mean([trial.total_s for trial in group]):.1f}",
    )


def _spread(values: list[float]) -> str:
    found = spread(values)
    return f"{found.mean:.3f}" + (f" ± {found.half:.3f}" if found.n > 1 else "")
