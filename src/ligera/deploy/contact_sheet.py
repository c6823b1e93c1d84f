"""Many small pictures with a line of text each, side by side on sheets: what a classifier said, at one glance.

In: ``(H, W, 3)`` uint8 RGB and texts. Out: ``sheet-1.jpg``, ``sheet-2.jpg`` ... in a folder, and frames of a video with
their text in a corner.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from ligera.deploy.results import write_picture

__all__ = ["ContactSheets", "captioned", "plain_text", "sheet", "sheet_names"]

THUMBNAIL_PX, TEXT_PX, GAP_PX = 160, 22, 8
COLUMNS, ROWS = 6, 8
GROUND, INK = (250, 250, 250), (25, 25, 25)
FONT = cv2.FONT_HERSHEY_SIMPLEX
# OpenCV's simplex capitals are this high at scale 1.
FONT_HEIGHT_PX = 22.0


def sheet_names(pictures: int) -> list[str]:
    """The files that so many pictures fill."""
    return [f"sheet-{number}.jpg" for number in range(1, -(-pictures // (COLUMNS * ROWS)) + 1)]


class ContactSheets:
    """Collects pictures for sheets in ``folder`` and writes each once it is full, the last on leaving the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cells: list[tuple[np.ndarray, str]] = []
        self._written = 0

    def __enter__(self) -> ContactSheets:
        return self

    def add(self, pixels: np.ndarray, text: str) -> None:
        # shrunk at once: a sheet of whole photographs would take a gigabyte
        self._cells.append((_thumbnail(pixels), text))
        if len(self._cells) == COLUMNS * ROWS:
            self._write()

    def _write(self) -> None:
        self._written += 1
        cells, self._cells = self._cells, []
        write_picture(self._folder / f"sheet-{self._written}", sheet(cells))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._cells:
            self._write()


def sheet(cells: list[tuple[np.ndarray, str]]) -> np.ndarray:
    """Pictures with their texts, up to six in a row -> one picture ``(H, W, 3)`` uint8 RGB."""
    columns = min(len(cells), COLUMNS)
    rows = -(-len(cells) // columns)
    step_x, step_y = THUMBNAIL_PX + GAP_PX, THUMBNAIL_PX + TEXT_PX + GAP_PX
    paper = np.full((rows * step_y + GAP_PX, columns * step_x + GAP_PX, 3), GROUND, np.uint8)
    for place, (pixels, text) in enumerate(cells):
        left, top = GAP_PX + place % columns * step_x, GAP_PX + place // columns * step_y
        small = _thumbnail(pixels)
        high, wide = small.shape[:2]
        x, y = left + (THUMBNAIL_PX - wide) // 2, top + (THUMBNAIL_PX - high) // 2
        paper[y : y + high, x : x + wide] = small
        _write_line(paper, text, (left, top + THUMBNAIL_PX + TEXT_PX - 6), THUMBNAIL_PX)
    return paper


def captioned(pixels: np.ndarray, text: str) -> np.ndarray:
    """A copy of a picture with ``text`` on a plate in its upper left corner."""
    picture = np.ascontiguousarray(pixels).copy()
    height, width = picture.shape[:2]
    scale = max(9.0, max(height, width) / 40) / FONT_HEIGHT_PX
    weight = max(1, round(scale * 1.6))
    plain = plain_text(text)
    (wide, high), _ = cv2.getTextSize(plain, FONT, scale, weight)
    margin = max(2, high // 3)
    cv2.rectangle(picture, (0, 0), (wide + 2 * margin, high + 2 * margin), GROUND, -1)
    cv2.putText(picture, plain, (margin, margin + high), FONT, scale, INK, weight, cv2.LINE_AA)
    return picture


def _thumbnail(pixels: np.ndarray) -> np.ndarray:
    """The picture with a long side of 160 px; pixels of a small one stay squares, as a network sees them."""
    height, width = pixels.shape[:2]
    factor = THUMBNAIL_PX / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)


def _write_line(paper: np.ndarray, text: str, place: tuple[int, int], most_px: int) -> None:
    """``text`` from ``place`` on, cut where it would be longer than ``most_px``."""
    plain, scale = plain_text(text), 11 / FONT_HEIGHT_PX
    while len(plain) > 3 and cv2.getTextSize(plain, FONT, scale, 1)[0][0] > most_px:
        plain = plain[:-3].rstrip(".") + ".."
    cv2.putText(paper, plain, place, FONT, scale, INK, 1, cv2.LINE_AA)


def plain_text(text: str) -> str:
    """What OpenCV's fonts can write of it: letters without their accents, ``?`` for other scripts."""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" else "?" for letter in bare)
