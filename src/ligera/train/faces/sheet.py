"""What a face detector finds in validation pictures, beside what is labelled there, on one sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ligera.files import write_bytes
from ligera.records import Detections, Picture, Targets

FOUND, LABELLED = (255, 140, 0), (60, 200, 90)


def draw_predictions(shown: list[tuple[Picture, Targets, Detections]], path: Path) -> None:
    """A sheet of pictures, labels green and detections orange; nothing is written for no picture."""
    if not shown:
        return
    tiles = [_tile(picture, targets, found) for picture, targets, found in shown]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 4)
    sheet = np.vstack([np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)])
    write_bytes(path, cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())


def _tile(picture: Picture, targets: Targets, found: Detections, side_px: int = 320) -> np.ndarray:
    factor = side_px / max(picture.width, picture.height)
    small = cv2.resize(picture.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    tile = np.full((side_px, side_px, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:side_px, :side_px]
    for boxes, colour in ((targets.boxes, LABELLED), (found.boxes, FOUND)):
        for x1, y1, x2, y2 in np.rint(boxes * factor).astype(int).tolist():
            cv2.rectangle(tile, (x1, y1), (x2, y2), colour, 1)
    return tile
