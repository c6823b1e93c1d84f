"""The study's figures as tables and sentences; the paper's own stand beside them."""

from __future__ import annotations

import numpy as np

from ligera.meter.figure import quantile_figure
from ligera.studies.detectors.scoring import Row
from ligera.studies.detectors.timing import MODES, Times
from ligera.studies.table import Table

__all__ = ["accuracy_table", "said", "size_table", "time_table", "total_seconds"]

# Paper A, table 1: seconds on its own pictures, plain and bounded. Its DNN is OpenCV's, which runs YuNet here.
PAPER = {"facenet": (14.85, 3.01), "dlib": (8.54, 1.76), "yunet": (4.67, 0.96), "haar": (1.74, 0.35)}
WITHHELD = "withheld"


def time_table(rows: list[Row], times: dict[str, Times] | None, note: str) -> Table:
    """Table 1 of the paper with what it leaves out. ``times`` is ``None`` where the machine was too noisy."""
    columns = ("detector", "plain s", "bounded s", "bounded / plain", "paper's plain s", "paper's bounded s")
    columns += ("recall plain", "recall bounded", "precision plain", "precision bounded", "AP50 plain", "AP50 bounded")
    lines = []
    for row in rows:
        cells = [row.contender.name, *_seconds(times, row), *_paper(row)]
        for score in ("recall", "precision", "ap50"):
            cells += [cell(row.labels[mode][score]) for mode in MODES]
        lines.append(tuple(cells))
    return Table("Total time, plain and with bounded preprocessing (paper's table 1)", columns, tuple(lines), note)


def accuracy_table(rows: list[Row], times: dict[str, Times] | None, note: str) -> Table:
    """AP by source, WIDER FACE's settings, landmark error, time a picture, memory and size."""
    sources = list(rows[0].labels["plain"]["sources"]) if rows else []
    columns = ("detector", "input", "MB", *(f"AP50 {source}" for source in sources))
    columns += ("WIDER easy / medium / hard", "NME", "median ms", "peak MB")
    lines = []
    for row in rows:
        own = row.labels["plain"]
        size = "-" if row.size_bytes is None else f"{row.size_bytes / 1e6:.2f}"
        aps = [cell(own["sources"].get(source, {}).get("ap50")) for source in sources]
        wider = " / ".join(cell(row.wider[name]) for name in ("easy", "medium", "hard")) if row.wider else "-"
        cells = [row.contender.name, row.input, size, *aps, wider, cell(own["nme"]), *_median_and_peak(times, row)]
        lines.append(tuple(cells))
    return Table("Accuracy, time of one picture, memory", columns, tuple(lines), note)


def size_table(rows: list[Row], note: str) -> Table:
    """AP by the size of the faces."""
    sizes = list(rows[0].labels["plain"]["sizes"]) if rows else []
    columns = ("detector", *(f"{size} ({rows[0].labels['plain']['sizes'][size]['faces']} faces)" for size in sizes))
    lines = [
        (row.contender.name, *(cell(row.labels["plain"]["sizes"][size]["ap50"]) for size in sizes)) for row in rows
    ]
    return Table("AP50 by size of face", columns, tuple(lines), note)


def said(rows: list[Row], times: dict[str, Times] | None) -> list[str]:
    """What follows from the tables."""
    lost = [
        f"{row.contender.name} {100 * (after - before):+.1f}"
        for row in rows
        if (before := row.labels["plain"]["recall"]) is not None
        and (after := row.labels["bounded"]["recall"]) is not None
    ]
    sentences = [f"points of recall that bounded preprocessing costs or brings: {', '.join(lost)}"] if lost else []
    if times:
        ratios = [
            total_seconds(times[r.contender.name], "bounded") / total_seconds(times[r.contender.name], "plain")
            for r in rows
        ]
        sentences.append(
            f"bounded preprocessing takes {np.median(ratios):.2f} of the plain time in the median of the detectors "
            f"({min(ratios):.2f} to {max(ratios):.2f}); the paper's four take 0.20 to 0.21"
        )
    return sentences


def total_seconds(times: Times, mode: str) -> float:
    """All pictures once: the sum of each one's median."""
    return float(sum(np.median(runs) for runs in times.ms[mode])) / 1e3


def _seconds(times: dict[str, Times] | None, row: Row) -> list[str]:
    if times is None:
        return [WITHHELD] * 3
    plain, bounded = (total_seconds(times[row.contender.name], mode) for mode in MODES)
    return [f"{plain:.2f}", f"{bounded:.2f}", f"{bounded / plain:.2f}"]


def _paper(row: Row) -> list[str]:
    kind = row.contender.model.partition(":")[0]
    return [f"{seconds:.2f}" for seconds in PAPER[kind]] if kind in PAPER else ["-", "-"]


def _median_and_peak(times: dict[str, Times] | None, row: Row) -> list[str]:
    if times is None:
        return [WITHHELD, "-"]
    own = times[row.contender.name]
    median = quantile_figure(own.ms["plain"], 0.5, unit="ms", device="cpu", threads=None)
    low, high = median.spread or (0.0, 0.0)
    return [f"{median.value:.1f} ({low:.1f}-{high:.1f})", "-" if own.peak_mb is None else f"{own.peak_mb:.0f}"]


def cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".removeprefix("0")
