"""What a layout detector finds on validation pages, beside what is labelled there, in the colours of figure 3.16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ligera.data.region_drawing import draw_regions
from ligera.data.regions import Page, regions_of
from ligera.files import write_bytes
from ligera.records import Detections

__all__ = ["draw_pages"]

PAGE_PX, PAIRS_IN_A_ROW = 800, 3


def draw_pages(shown: Sequence[tuple[np.ndarray, Page, Detections]], names: Sequence[str], path: Path) -> None:
    """A sheet of pages ``(H, W, 3)`` uint8 in pairs, left as labelled, right as found; nothing is written for none."""
    if not shown:
        return
    tiles = [
        np.hstack([_tile(draw_regions(pixels, regions, names)) for regions in (page.regions, regions_of(found))])
        for pixels, page, found in shown
    ]
    columns = min(PAIRS_IN_A_ROW, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    sheet = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    write_bytes(path, cv2.imencode(".jpg", sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


def _tile(picture: np.ndarray) -> np.ndarray:
    """``picture`` within a white square."""
    factor = PAGE_PX / max(picture.shape[:2])
    size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
    tile = np.full((PAGE_PX, PAGE_PX, 3), 255, np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return tile
