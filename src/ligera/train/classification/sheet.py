"""The pictures a classifier is surest of and wrong about, on one sheet, with what it said and what is true."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ligera.files import write_bytes
from ligera.records import LabelledPictures

TILE_PX, LINE_PX, COLUMNS = 128, 18, 6


def draw_mistakes(pictures: LabelledPictures, logits: np.ndarray, path: Path, count: int = 24) -> None:
    """Up to ``count`` of ``pictures`` where the largest of ``logits (N, K)`` is not the label; nothing for none."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    chances = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    said = chances.argmax(axis=1)
    wrong = np.flatnonzero(said != pictures.labels)
    worst = wrong[np.argsort(-chances[wrong].max(axis=1), kind="stable")][:count]
    if not len(worst):
        return
    names = pictures.names
    tiles = [
        _tile(pictures.pictures[i], f"{names[said[i]]} {chances[i].max():.2f}", f"is {names[pictures.labels[i]]}")
        for i in worst
    ]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    sheet = np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])
    write_bytes(path, cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())


def _tile(pixels: np.ndarray, *lines: str) -> np.ndarray:
    tile = np.full((TILE_PX + LINE_PX * len(lines), TILE_PX, 3), 255, np.uint8)
    tile[:TILE_PX] = cv2.resize(pixels, (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST)
    for number, line in enumerate(lines):
        place = (3, TILE_PX + LINE_PX * number + 13)
        cv2.putText(tile, line[:22], place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return tile
