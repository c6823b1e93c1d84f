"""People that anyone can tell apart: bright cells, as the detector of ``deploy.conftest`` finds, with stripes."""

from pathlib import Path

import cv2
import numpy as np

from ..conftest import CELL_PX, spots

STRIPES = {"upright": (0, 1), "lying": (1, 0)}


def striped(kind: str, generator: np.random.Generator) -> np.ndarray:
    """A picture of one cell with ``kind`` of stripes, at a place, of a shade and with noise of its own."""
    column, row = int(generator.integers(1, 4)), int(generator.integers(1, 3))
    pixels = spots(160, 128, (column, row))
    y, x = row * CELL_PX, column * CELL_PX
    # walls and faces of many shades: photos alike but for their stripes would be taken for copies
    wall = cv2.resize(generator.uniform(0, 125, (16, 20)), (160, 128))[..., None].astype(np.uint8)
    pixels[pixels == 20] += np.broadcast_to(wall, pixels.shape)[pixels == 20]
    down, across = STRIPES[kind]
    blotches = cv2.resize(generator.uniform(0, 120, (7, 7)), (CELL_PX, CELL_PX))[..., None]
    pixels[y : y + CELL_PX, x : x + CELL_PX] -= blotches.astype(np.uint8)
    first = int(generator.integers(6, 20))
    for line in (first, first + 6):
        part = slice(line, line + 2)
        cell = pixels[y : y + CELL_PX, x : x + CELL_PX]
        cell[(part if down else slice(None)), (part if across else slice(None))] = generator.integers(20, 90)
    noise = generator.integers(-15, 16, pixels.shape)
    return np.clip(pixels.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def write_photos(folder: Path, kind: str, count: int, seed: int, name: str = "photo") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        cv2.imwrite(str(folder / f"{name}{chr(97 + number % 26)}{number}.png"), striped(kind, generator)[:, :, ::-1])
    return folder
