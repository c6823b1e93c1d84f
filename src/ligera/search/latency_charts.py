"""Pictures of a latency table: time against channels by block for each resolution, kernel 3 against 5, and a check's
scatter. Source: paper C, figures 41 to 61.

In: a table or a report. Out: PNG files. The only module of this room's measuring half with matplotlib.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ligera.errors import MissingExtra
from ligera.files import write_bytes
from ligera.search.checking import CheckReport
from ligera.search.entry import Entry
from ligera.search.table import LatencyTable, Row

__all__ = ["draw_check", "draw_table", "series"]

Point = tuple[int, Row]


def series(table: LatencyTable) -> dict[tuple[int, bool], dict[str, list[Point]]]:
    """For each side of map (px) and place in the stage (first or not): points (channels out, row) of each block.

    First blocks are those that read the widest map that every width can follow, so that a line varies one thing alone.
    """
    found: dict[tuple[int, bool], dict[str, dict[int, tuple[int, Row]]]] = {}
    for entry in table.space.entries():
        row = table.rows.get(entry.key)
        if entry.part != "block" or row is None:
            continue
        lines = found.setdefault((entry.height, entry.first), {})
        line = lines.setdefault(_word(entry), {})
        kept = line.get(entry.channels_out)
        if kept is None or entry.channels_in > kept[0]:
            line[entry.channels_out] = (entry.channels_in, row)
    return {
        place: {word: [(width, line[width][1]) for width in sorted(line)] for word, line in lines.items()}
        for place, lines in found.items()
    }


def draw_table(table: LatencyTable, folder: Path) -> list[Path]:
    """Write the pictures of ``table`` into ``folder``; ``MissingExtra`` without matplotlib."""
    made = []
    for (side_px, first), lines in sorted(series(table).items(), reverse=True):
        where = f"{'first blocks' if first else 'blocks'} reading {side_px}x{side_px} px"
        stem = f"{side_px}-{'first' if first else 'blocks'}"
        made.append(_draw(table, lines, f"Latency of {where}", folder / f"latency-{stem}.png"))
        pairs = _kernels(lines)
        if pairs:
            made.append(_draw(table, pairs, f"Kernel 3x3 and 5x5: {where}", folder / f"kernel-{stem}.png"))
    return made


def draw_check(report: CheckReport, path: Path, title: str) -> Path:
    """A point for each net, measured against predicted; ``MissingExtra`` without matplotlib."""
    figure = _figure()
    axes = figure.subplots()
    for fitted_on, colour, label in ((True, "tab:gray", "constants fitted on"), (False, "tab:blue", "judged")):
        nets = [net for net in report.nets if net.fitted_on == fitted_on]
        axes.scatter([n.predicted_ms for n in nets], [n.measured_ms for n in nets], s=12, c=colour, label=label)
    ends = [f(f(n.predicted_ms, n.measured_ms) for n in report.nets) for f in (min, max)]
    axes.plot(ends, ends, color="black", linewidth=1, label="equal")
    for factor in (0.9, 1.1):
        axes.plot(ends, [factor * end for end in ends], color="black", linewidth=0.5, linestyle=":")
    bare = report.bare
    said = f"MAPE {bare.mape:.1%}, within 10 %: {bare.near_share:.0%}, tau {bare.tau:.3f}"
    axes.set(xlabel="sum of the table's entries, ms", ylabel="measured whole net, ms", title=f"{title}\n{said}")
    axes.legend()
    return _save(figure, path)


def _word(entry: Entry) -> str:
    return entry.name.removeprefix("S_").rpartition("_")[0]


def _kernels(lines: Mapping[str, list[Point]]) -> dict[str, list[Point]]:
    """The lines of blocks that are there with both kernels."""
    return {
        word: points
        for word, points in lines.items()
        if word.replace("3x3", "5x5") in lines and word.replace("5x5", "3x3") in lines and _twin(word) in lines
    }


def _twin(word: str) -> str:
    return word.replace("3x3", "5x5") if "3x3" in word else word.replace("5x5", "3x3")


def _draw(table: LatencyTable, lines: Mapping[str, list[Point]], title: str, path: Path) -> Path:
    figure = _figure()
    axes = figure.subplots()
    for place, (word, points) in enumerate(sorted(lines.items())):
        widths = [width for width, _ in points]
        middle = [row.latency_ms for _, row in points]
        errors = [
            [row.latency_ms - row.low_ms for _, row in points],
            [row.high_ms - row.latency_ms for _, row in points],
        ]
        style = "--" if "5x5" in word else "-"
        axes.errorbar(
            widths, middle, errors, label=word, color=f"C{place % 10}", linestyle=style, marker="o", capsize=2
        )
    device = table.device
    where = f"{device.processor}, {device.threads} threads, {device.runtime} {device.runtime_version}"
    axes.set(xlabel="channels out", ylabel=f"ms, batch {table.space.batch}", title=f"{title}\n{where}")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    return _save(figure, path)


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra("matplotlib", "train", "drawing the latency table") from None
    return Figure(figsize=(9, 6), layout="constrained")


def _save(figure: Any, path: Path) -> Path:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_bytes(path, buffer.getvalue())
    return path
