"""Crops that a network is surest of and wrong about, and where it puts boxes and points, on one sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ligera.data.crops import KINDS, CropSet
from ligera.files import write_bytes

TILE_PX, LINE_PX, COLUMNS = 96, 16, 8
FOUND, TRUE = (255, 140, 0), (60, 200, 90)


def draw_crops(crops: CropSet, scores: np.ndarray, boxes: np.ndarray, points: np.ndarray, path: Path) -> None:
    """Three rows: negatives of the highest score, positives of the lowest, and boxes and points of part faces.

    ``scores (N,)``, ``boxes (N, 4)`` and ``points (N, 10)`` are the network's, as crops carry theirs.
    """
    negative, positive = (np.flatnonzero(crops.kinds == KINDS.index(kind)) for kind in ("negative", "positive"))
    placed = np.flatnonzero(np.isfinite(crops.boxes).all(axis=1) | np.isfinite(crops.landmarks).any(axis=1))
    rows = [
        negative[np.argsort(-scores[negative], kind="stable")][:COLUMNS],
        positive[np.argsort(scores[positive], kind="stable")][:COLUMNS],
        placed[np.linspace(0, len(placed) - 1, min(COLUMNS, len(placed))).astype(int)],
    ]
    tiles = []
    for number, chosen in enumerate(rows):
        line = [_tile(crops, i, scores[i], (boxes[i], points[i]) if number == 2 else None) for i in chosen]
        blank = np.full((TILE_PX + LINE_PX, TILE_PX, 3), 255, np.uint8)
        tiles.append(np.hstack(line + [blank] * (COLUMNS - len(line))))
    write_bytes(path, cv2.imencode(".png", np.vstack(tiles)[:, :, ::-1])[1].tobytes())


def _tile(crops: CropSet, row: int, score: float, answers: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    tile = np.full((TILE_PX + LINE_PX, TILE_PX, 3), 255, np.uint8)
    tile[:TILE_PX] = cv2.resize(crops.pixels[row], (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST)
    if answers is not None:
        true = crops.boxes[row], crops.landmarks[row]
        _mark(tile, *true, TRUE)
        # only what is labelled, too
        _mark(tile, *(np.where(np.isnan(t), t, own) for own, t in zip(answers, true, strict=True)), FOUND)
    text = f"{KINDS[crops.kinds[row]][:9]} {score:.2f}"
    cv2.putText(tile, text, (2, TILE_PX + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (40, 40, 40), 1, cv2.LINE_AA)
    return tile


def _mark(tile: np.ndarray, box: np.ndarray, points: np.ndarray, colour: tuple[int, int, int]) -> None:
    """A box given as offsets and points, those of them that are known, within the crop."""
    if np.isfinite(box).all():
        x1, y1, x2, y2 = np.clip((box + np.array([0, 0, 1, 1])) * TILE_PX, 0, TILE_PX - 1).astype(int).tolist()
        cv2.rectangle(tile, (x1, y1), (x2, y2), colour, 1)
    for x, y in points.reshape(5, 2):
        if np.isfinite([x, y]).all() and 0 <= x < 1 and 0 <= y < 1:
            cv2.circle(tile, (int(x * TILE_PX), int(y * TILE_PX)), 2, colour, -1)
