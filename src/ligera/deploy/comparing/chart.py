"""The comparison of engines as a picture: a bar for the time and one for the memory of each, with their ranges.

In: a :class:`Comparison`. Out: ``(H, W, 3)`` uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ligera.deploy.comparing.comparison import Comparison
from ligera.meter.figure import Figure

__all__ = ["draw_comparison"]

PANELS = (("elapsed_s", "seconds", (70, 130, 200)), ("peak_mb", "peak MB", (230, 150, 70)))
INK, FAINT, PAPER = (40, 40, 40), (170, 170, 170), 255
FONT = cv2.FONT_HERSHEY_SIMPLEX
WIDTH_PX, NAME_PX, BAR_PX, ROW_PX, HEAD_PX, MARGIN_PX = 1000, 150, 26, 44, 70, 24


def draw_comparison(comparison: Comparison) -> np.ndarray:
    """Bars of every engine, the shortest being best in both panels."""
    rows = comparison.rows
    height = HEAD_PX + len(PANELS) * (ROW_PX * len(rows) + HEAD_PX) - MARGIN_PX
    canvas = np.full((height, WIDTH_PX, 3), PAPER, np.uint8)
    title = f"{comparison.workload}, {comparison.pictures:,} pictures, {comparison.rounds} rounds"
    _write(canvas, title, (MARGIN_PX, 38), 0.75)
    top = HEAD_PX
    for name, words, colour in PANELS:
        _write(canvas, words, (MARGIN_PX, top + 18), 0.6)
        top += 36
        figures = [row.figures[name] for row in rows]
        names = [row.engine if row.engine == row.chosen else f"{row.engine} ({row.chosen})" for row in rows]
        _panel(canvas, top, names, figures, colour)
        top += ROW_PX * len(rows) + HEAD_PX - 36
    return canvas


def _panel(
    canvas: np.ndarray, top: int, names: Sequence[str], figures: Sequence[Figure], colour: tuple[int, int, int]
) -> None:
    """One bar for each figure, from zero, with a whisker over its range."""
    left, room = MARGIN_PX + NAME_PX, WIDTH_PX - 2 * MARGIN_PX - NAME_PX - 90
    most = max((figure.spread or (0, figure.value or 0))[1] for figure in figures) or 1.0
    for number, (name, figure) in enumerate(zip(names, figures, strict=True)):
        y = top + ROW_PX * number
        _write(canvas, name, (MARGIN_PX, y + BAR_PX - 7), 0.5)
        if figure.value is None:
            _write(canvas, "unknown", (left, y + BAR_PX - 7), 0.5, FAINT)
            continue
        end = left + round(room * figure.value / most)
        cv2.rectangle(canvas, (left, y), (max(left + 1, end), y + BAR_PX), colour, -1)
        low, high = (left + round(room * value / most) for value in figure.spread or (figure.value, figure.value))
        middle = y + BAR_PX // 2
        cv2.line(canvas, (low, middle), (high, middle), INK, 1, cv2.LINE_AA)
        for x in (low, high):
            cv2.line(canvas, (x, middle - 5), (x, middle + 5), INK, 1, cv2.LINE_AA)
        _write(canvas, f"{figure.value:.3g}", (max(end, high) + 8, y + BAR_PX - 7), 0.5)


def _write(
    canvas: np.ndarray, text: str, place: tuple[int, int], scale: float, colour: tuple[int, int, int] = INK
) -> None:
    cv2.putText(canvas, text, place, FONT, scale, colour, 1, cv2.LINE_AA)
