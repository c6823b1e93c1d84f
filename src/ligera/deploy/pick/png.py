"""The Pareto picture as a PNG, for READMEs and slides. Out: ``(H, W, 3)`` uint8 RGB."""

from __future__ import annotations

import cv2
import numpy as np

from ligera.deploy.pick.plot import BOTTOM_PX, HEIGHT_PX, LEFT_PX, RIGHT_PX, TOP_PX, WIDTH_PX, Mark, Plot
from ligera.deploy.pick.svg import RADII_PX

__all__ = ["draw_plot"]

# Drawn this much larger and shrunk, which smooths letters and lines.
ENLARGED = 4
SHOWN = 1.5
LEGEND_PX = 34
PALETTE = (
    *((37, 99, 235), (217, 90, 20), (5, 140, 100), (147, 60, 200)),
    *((190, 24, 93), (120, 113, 20), (8, 130, 160), (100, 100, 110)),
)
PAPER, INK, FAINT, GRID, OVER = (255, 255, 255), (30, 34, 45), (110, 116, 130), (229, 231, 236), (253, 242, 240)
LIMIT, FRONT = (200, 60, 40), (150, 156, 170)
FLOOR_PX, EDGE_PX = HEIGHT_PX - BOTTOM_PX, WIDTH_PX - RIGHT_PX


def draw_plot(plot: Plot) -> np.ndarray:
    """The picture, larger than the plot by half, with a legend of models below."""
    canvas = np.full(((HEIGHT_PX + LEGEND_PX) * ENLARGED, WIDTH_PX * ENLARGED, 3), PAPER, np.uint8)
    if plot.budget_x is not None:
        _box(canvas, (plot.budget_x, TOP_PX), (EDGE_PX, FLOOR_PX), OVER)
    for tick in plot.x_ticks:
        _line(canvas, (tick.place_px, TOP_PX), (tick.place_px, FLOOR_PX), GRID, 1)
        _text(canvas, tick.text, (tick.place_px, FLOOR_PX + 20), FAINT, "middle")
    for tick in plot.y_ticks:
        _line(canvas, (LEFT_PX, tick.place_px), (EDGE_PX, tick.place_px), GRID, 1)
        _text(canvas, tick.text, (LEFT_PX - 10, tick.place_px + 4), FAINT, "end")
    if plot.budget_x is not None:
        _line(canvas, (plot.budget_x, TOP_PX), (plot.budget_x, FLOOR_PX), LIMIT, 1.6)
        _text(canvas, "budget", (plot.budget_x - 5, TOP_PX - 9), LIMIT, "end")
    for start, end in zip(plot.front, plot.front[1:], strict=False):
        _line(canvas, start, end, FRONT, 1.6)
    for mark in plot.marks:
        _draw_mark(canvas, mark)
    for mark in plot.marks:
        if mark.label:
            side, anchor = mark.label_side
            place, bold = (mark.x + side, mark.y - 9), mark.role == "winner"
            _text(canvas, mark.label, place, INK, anchor, bold=bold, halo_behind=True)
    _text(canvas, plot.x_title, ((LEFT_PX + EDGE_PX) / 2, HEIGHT_PX - 10), INK, "middle")
    _text(canvas, plot.y_title, (LEFT_PX - 10, TOP_PX - 9), INK, "end")
    _legend(canvas, plot)
    size = (round(WIDTH_PX * SHOWN), round((HEIGHT_PX + LEGEND_PX) * SHOWN))
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)


def _draw_mark(canvas: np.ndarray, mark: Mark) -> None:
    colour = PALETTE[mark.colour % len(PALETTE)]
    place = (mark.x, mark.y)
    if mark.role == "rough":
        _disc(canvas, place, RADII_PX["rough"], _lighter(colour))
        return
    if mark.leads and mark.across is not None:
        _line(canvas, (mark.across[0], mark.y), (mark.across[1], mark.y), _lighter(colour), 1.5)
    if mark.leads and mark.upright is not None:
        _line(canvas, (mark.x, mark.upright[0]), (mark.x, mark.upright[1]), _lighter(colour), 1.5)
    radius = RADII_PX[mark.role]
    if mark.role in ("winner", "relaxed"):
        _disc(canvas, place, radius + 5, colour)
        _disc(canvas, place, radius + 3, PAPER)
    _disc(canvas, place, radius, colour)
    if mark.role == "over":
        _disc(canvas, place, radius - 2, PAPER)


def _legend(canvas: np.ndarray, plot: Plot) -> None:
    x = float(LEFT_PX)
    for number, name in enumerate(plot.models):
        _disc(canvas, (x, HEIGHT_PX + 12), 5, PALETTE[number % len(PALETTE)])
        x += 12 + _text(canvas, name, (x + 10, HEIGHT_PX + 16), FAINT, "start") + 18


def _lighter(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    red, green, blue = (round(value + (255 - value) * 0.55) for value in colour)
    return red, green, blue


def _scaled(place: tuple[float, float]) -> tuple[int, int]:
    return round(place[0] * ENLARGED), round(place[1] * ENLARGED)


def _line(
    canvas: np.ndarray, start: tuple[float, float], end: tuple[float, float], colour: tuple[int, int, int], width: float
) -> None:
    cv2.line(canvas, _scaled(start), _scaled(end), colour, max(1, round(width * ENLARGED)), cv2.LINE_AA)


def _box(
    canvas: np.ndarray, start: tuple[float, float], end: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    cv2.rectangle(canvas, _scaled(start), _scaled(end), colour, -1)


def _disc(canvas: np.ndarray, place: tuple[float, float], radius: float, colour: tuple[int, int, int]) -> None:
    cv2.circle(canvas, _scaled(place), round(radius * ENLARGED), colour, -1, cv2.LINE_AA)


def _text(
    canvas: np.ndarray,
    text: str,
    place: tuple[float, float],
    colour: tuple[int, int, int],
    anchor: str,
    *,
    bold: bool = False,
    halo_behind: bool = False,
) -> float:
    """Writes ``text`` (letters that OpenCV has not as ``?``); returns its width in px."""
    shown = text.encode("ascii", "replace").decode()
    scale, weight = 0.42 * ENLARGED, round((1.6 if bold else 1.0) * ENLARGED)
    width = cv2.getTextSize(shown, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)[0][0] / ENLARGED
    x = place[0] - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    at, halo = _scaled((x, place[1])), weight + round(3 * ENLARGED)
    # readable also across marks and lines
    for ink, thickness in ((PAPER, halo), (colour, weight)) if halo_behind else ((colour, weight),):
        cv2.putText(canvas, shown, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA)
    return width
