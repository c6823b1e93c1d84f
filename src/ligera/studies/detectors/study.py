"""Study ``detectors``: what each face detector finds and what that takes, plain and with bounded preprocessing.

Paper A, table 1, with what it leaves out: recall, precision and average precision, so that "faster" cannot mean
"blind"; average precision by source and size of face; memory. Every detector runs through the same ``Detections``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from pydantic import Field

from ligera.data.faces import read_retinaface
from ligera.errors import DataError
from ligera.files import write_whole
from ligera.meter.hardware import processor_name
from ligera.studies.detectors import tables
from ligera.studies.detectors.contenders import find_contenders
from ligera.studies.detectors.scoring import Row, score_all
from ligera.studies.detectors.timing import Times, measure_times
from ligera.studies.report import Report
from ligera.studies.trials import Listener
from ligera.typed_yaml import Frozen

matplotlib.use("agg")


class Settings(Frozen):
    """``data`` has RetinaFace labels; ``wider``, if given, WIDER FACE's own layout. Faces under ``min_face`` px of
    ``data`` are ignored. ``timed`` pictures, evenly spread, are timed ``rounds`` times; ``max_side`` px bounds them.

    ``rounds`` and ``force`` may change from one command to the next in one run folder, which keeps its rounds.
    """

    data: Path
    wider: Path | None = None
    peers: Path | None = None
    models: tuple[str, ...] = ()
    threads: int = Field(2, ge=1)
    min_face: int = Field(16, ge=1)
    max_side: int = Field(320, ge=32)
    rounds: int = Field(3, ge=1, exclude=True)
    timed: int = Field(160, ge=5)
    force: bool = Field(False, exclude=True)


QUICK = {"rounds": 1, "timed": 20}


def study(settings: Settings, folder: Path, tell: Listener | None = None) -> Report:
    """Score what is not yet scored, time everything side by side, and say it in the paper's table and two more."""
    pictures = [sample.path for sample in read_retinaface(settings.data).samples]
    if len(pictures) < 5:
        raise DataError(f"{settings.data}: expected 5 labelled pictures or more, got {len(pictures)}")
    contenders, missing = find_contenders(settings.models, settings.peers)
    rows, broken = score_all(
        contenders, settings.data, settings.wider, settings.min_face, settings.max_side, folder, tell
    )
    if not rows:
        raise DataError(f"no detector could be run: {'; '.join([*missing, *broken])}")
    timed = pictures[:: max(1, len(pictures) // settings.timed)]
    ready = [row.contender for row in rows]
    times, noise = measure_times(
        ready, timed, settings.rounds, settings.threads, settings.max_side, folder, settings.force, tell
    )
    shown = times if settings.force or not noise else None
    note = _note(settings, rows, len(timed), noise)
    found = (
        tables.time_table(rows, shown, note),
        tables.accuracy_table(rows, shown, note),
        tables.size_table(rows, note),
    )
    said = tables.said(rows, shown) + [f"missing: {reason}" for reason in (*missing, *broken)]
    picture = [_draw(rows, times, folder / "detectors.png")] if shown else []
    return Report("Face detectors side by side", found, tuple(said), tuple(picture))


def _note(settings: Settings, rows: list[Row], timed: int, noise: tuple[str, ...]) -> str:
    groups = rows[0].labels["plain"]["sources"].items()
    counts = ", ".join(f"{name} {group['pictures']} pictures with {group['faces']} faces" for name, group in groups)
    text = (
        f"{processor_name()}, {settings.threads} threads. AP50: {rows[0].labels['plain']['protocol']} ({counts}). "
        "Recall and precision at each detector's score 0.5. Bounded: long side at most "
        f"{settings.max_side} px, median filter 3 x 3, middle grey to half. Seconds: decoded picture to boxes at the "
        f"detector's own score, {timed} pictures once each, of each the median of {settings.rounds} runs in turns; "
        "ms: all runs, with the 90 % interval of the median; MB: a process that does only this."
    )
    return text + (f" Too noisy for its times to be trusted: {'; '.join(noise)}." if noise else "")


def _draw(rows: list[Row], times: dict[str, Times], path: Path) -> Path:
    """Average precision over the time of all pictures; an arrow from plain to bounded."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    panel = figure.subplots()
    for number, row in enumerate(rows):
        name = row.contender.name
        points = [(tables.total_seconds(times[name], mode), row.labels[mode]["ap50"] or 0.0) for mode in tables.MODES]
        panel.annotate("", points[1], points[0], arrowprops={"arrowstyle": "->", "color": f"C{number % 10}"})
        panel.plot(*points[0], "o", color=f"C{number % 10}")
        panel.annotate(name, points[0], textcoords="offset points", xytext=(6, 4), fontsize=8)
    panel.set_xscale("log")
    panel.set_xlabel("seconds for all pictures (dot: plain, arrow's end: bounded)")
    panel.set_ylabel("AP50")
    panel.grid(alpha=0.3, which="both")
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return path
