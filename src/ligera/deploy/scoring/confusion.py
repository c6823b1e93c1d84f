"""A confusion matrix as a picture: what a classifier takes for what.

In: counts ``(K, K)``, a row for each true class and a column for each class it was taken for, and the K names. Out:
``(H, W, 3)`` uint8 RGB. Colour is the share of its row, right answers on the diagonal in another colour than mistakes;
counts are written where a cell has room for them. Drawn with OpenCV, as the light installation has no matplotlib.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ligera.deploy.contact_sheet import FONT, FONT_HEIGHT_PX, plain_text
from ligera.files import write_bytes

__all__ = ["draw_confusion", "write_confusion"]

GROUND, INK, GREY = (255, 255, 255), (25, 25, 25), (225, 225, 225)
RIGHT, WRONG = np.array([30, 120, 70]), np.array([190, 50, 40])
MATRIX_PX = 1000
LARGEST_CELL_PX, SMALLEST_CELL_PX = 72, 2
NAMED_FROM_PX, COUNTED_FROM_PX = 12, 28
LONGEST_NAME = 22
GAP_PX = 12
TEXT_PX = 11
TITLE = "true class down, answer across"


def write_confusion(path: Path, counts: np.ndarray, names: tuple[str, ...]) -> None:
    """The matrix as a PNG file at ``path``, whole or not at all."""
    content = cv2.imencode(".png", cv2.cvtColor(draw_confusion(counts, names), cv2.COLOR_RGB2BGR))[1]
    write_bytes(path, content.tobytes())


def draw_confusion(counts: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The matrix with its classes beside and above it. Names are left out where there are too many to be read."""
    classes = len(names)
    cell = max(SMALLEST_CELL_PX, min(LARGEST_CELL_PX, MATRIX_PX // classes))
    shown = [_cut(name) for name in names] if cell >= NAMED_FROM_PX else []
    margin = GAP_PX + max((_width(name) + GAP_PX for name in shown), default=0)
    head = margin + TEXT_PX + GAP_PX
    side = classes * cell
    wide = max(margin + side, GAP_PX + _width(TITLE)) + GAP_PX
    paper = np.full((head + side + GAP_PX, wide, 3), GROUND, np.uint8)
    cells = np.repeat(np.repeat(_colours(counts), cell, axis=0), cell, axis=1)
    paper[head : head + side, margin : margin + side] = cells
    if cell > 6:
        _draw_grid(paper, (margin, head), cell, classes)
    if cell >= COUNTED_FROM_PX:
        _write_counts(paper, counts, (margin, head), cell)
    _write(paper, TITLE, (GAP_PX, GAP_PX + TEXT_PX))
    for place, name in enumerate(shown):
        middle = place * cell + (cell + TEXT_PX) // 2
        _write(paper, name, (margin - GAP_PX // 2 - _width(name), head + middle))
        _write_upright(paper, name, (margin + middle, head - GAP_PX // 2))
    return paper


def _colours(counts: np.ndarray) -> np.ndarray:
    """``(K, K, 3)`` uint8: white for none of the row's pictures, the full colour for all of them."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    own = np.where(np.eye(len(counts), dtype=bool)[..., None], RIGHT, WRONG)
    # by the root, as a mistake made in one of a hundred pictures should still be seen
    strength = np.sqrt(share)[..., None]
    return (255 + (own - 255) * strength).round().astype(np.uint8)


def _draw_grid(paper: np.ndarray, corner: tuple[int, int], cell: int, classes: int) -> None:
    left, top = corner
    for line in range(classes + 1):
        at = line * cell
        cv2.line(paper, (left + at, top), (left + at, top + classes * cell), GREY, 1)
        cv2.line(paper, (left, top + at), (left + classes * cell, top + at), GREY, 1)


def _write_counts(paper: np.ndarray, counts: np.ndarray, corner: tuple[int, int], cell: int) -> None:
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.argwhere(counts > 0):
        text = str(counts[row, column])
        wide = _width(text)
        if wide <= cell - 2:
            place = corner[0] + column * cell + (cell - wide) // 2, corner[1] + row * cell + (cell + TEXT_PX) // 2
            _write(paper, text, place, GROUND if share[row, column] > 0.3 else INK)


def _write_upright(paper: np.ndarray, text: str, foot: tuple[int, int]) -> None:
    """``text`` from ``foot`` upwards, as a column has no room for it across."""
    strip = np.full((TEXT_PX + 6, _width(text) + 2, 3), GROUND, np.uint8)
    _write(strip, text, (1, TEXT_PX + 1))
    upright = cv2.rotate(strip, cv2.ROTATE_90_COUNTERCLOCKWISE)
    high, wide = upright.shape[:2]
    x, y = foot[0] - TEXT_PX - 1, foot[1] - high
    paper[y : y + high, x : x + wide] = upright


def _write(paper: np.ndarray, text: str, place: tuple[int, int], ink: tuple[int, int, int] = INK) -> None:
    cv2.putText(paper, text, place, FONT, TEXT_PX / FONT_HEIGHT_PX, ink, 1, cv2.LINE_AA)


def _width(text: str) -> int:
    return cv2.getTextSize(text, FONT, TEXT_PX / FONT_HEIGHT_PX, 1)[0][0]


def _cut(name: str) -> str:
    plain = plain_text(name)
    return plain if len(plain) <= LONGEST_NAME else plain[: LONGEST_NAME - 2] + ".."
