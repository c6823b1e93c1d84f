"""How much the candidates overlap the faces, as a picture: a histogram of IoU, its bars coloured by kind.

In: figures of ``statistics.summed``. Out: the bytes of a PNG. Counts go up by powers of ten, as there may be a thousand
negatives to one positive. Landmark crops are drawn apart, being windows about faces and not candidates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from ligera.data.crops import KINDS
from ligera.deploy.mining.settings import MineSettings
from ligera.deploy.mining.statistics import BINS

__all__ = ["draw_histogram"]

COLOURS = {"negative": (150, 150, 150), "part": (230, 170, 60), "positive": (60, 140, 90), "landmark": (70, 110, 200)}
INK, GRID, PAPER = (40, 40, 40), (225, 225, 225), 255
FONT = cv2.FONT_HERSHEY_SIMPLEX
WIDTH_PX, HEIGHT_PX, LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 1000, 520, 90, 30, 96, 60


def draw_histogram(figures: Mapping[str, Mapping[str, Any]], settings: MineSettings) -> bytes:
    """One bar for each bin and kind, side by side."""
    canvas = np.full((HEIGHT_PX, WIDTH_PX, 3), PAPER, np.uint8)
    every = figures["all"]
    mean = f", mean IoU {every['mean_iou']:.4f}" if every["count"] else ""
    _write(canvas, f"stage {settings.stage}: {every['count']:,} candidates{mean}", (LEFT_PX, 34), 0.7)
    decades = max(1, math.ceil(math.log10(max(max(figures[kind]["bins"]) for kind in KINDS) + 1)))
    _axes(canvas, decades)
    _legend(canvas, figures)
    shown = [kind for kind in COLOURS if figures[kind]["count"]]
    bin_px = (WIDTH_PX - LEFT_PX - RIGHT_PX) / BINS
    bar_px = (bin_px - 2) / max(1, len(shown))
    for number, kind in enumerate(shown):
        for place, count in enumerate(figures[kind]["bins"]):
            if count:
                left = LEFT_PX + place * bin_px + 1 + number * bar_px
                corner = round(left), _height(math.log10(count + 1), decades)
                foot = max(round(left), round(left + bar_px) - 1), HEIGHT_PX - BOTTOM_PX
                cv2.rectangle(canvas, corner, foot, COLOURS[kind], -1)
    _write(canvas, "IoU with the nearest face", (LEFT_PX, HEIGHT_PX - 12), 0.5)
    # OpenCV writes BGR.
    return cv2.imencode(".png", canvas[:, :, ::-1])[1].tobytes()


def _height(decade: float, decades: int) -> int:
    room = HEIGHT_PX - TOP_PX - BOTTOM_PX
    return HEIGHT_PX - BOTTOM_PX - round(room * decade / decades)


def _axes(canvas: np.ndarray, decades: int) -> None:
    for decade in range(decades + 1):
        y = _height(decade, decades)
        cv2.line(canvas, (LEFT_PX, y), (WIDTH_PX - RIGHT_PX, y), GRID, 1)
        _write(canvas, f"{10**decade:,}" if decade else "0", (12, y + 5), 0.42)
    for tenth in range(11):
        x = LEFT_PX + round((WIDTH_PX - LEFT_PX - RIGHT_PX) * tenth / 10)
        cv2.line(canvas, (x, HEIGHT_PX - BOTTOM_PX), (x, HEIGHT_PX - BOTTOM_PX + 5), INK, 1)
        _write(canvas, f"{tenth / 10:.1f}", (x - 12, HEIGHT_PX - BOTTOM_PX + 22), 0.42)


def _legend(canvas: np.ndarray, figures: Mapping[str, Mapping[str, Any]]) -> None:
    x = LEFT_PX
    for kind, colour in COLOURS.items():
        cv2.rectangle(canvas, (x, 54), (x + 14, 68), colour, -1)
        text = f"{kind} {figures[kind]['count']:,}"
        _write(canvas, text, (x + 22, 67), 0.5)
        x += 22 + cv2.getTextSize(text, FONT, 0.5, 1)[0][0] + 26


def _write(canvas: np.ndarray, text: str, place: tuple[int, int], scale: float) -> None:
    cv2.putText(canvas, text, place, FONT, scale, INK, 1, cv2.LINE_AA)
