"""Crops that a tiny network tells apart in a second: positives hold a bright square, negatives noise alone."""

from pathlib import Path

import numpy as np
import pytest

from ligera.data.crops import KINDS, CropSet, write_crops


def made_crops(count: int = 40, side: int = 12, seed: int = 0) -> CropSet:
    """``count`` of each kind, mixed; boxes are the square's, points lie in it."""
    generator = np.random.default_rng(seed)
    kinds = generator.permutation(np.repeat(np.arange(len(KINDS)), count)).astype(np.int8)
    pixels = generator.integers(0, 100, (len(kinds), side, side, 3), dtype=np.uint8)
    boxes = np.full((len(kinds), 4), np.nan, np.float32)
    landmarks = np.full((len(kinds), 10), np.nan, np.float32)
    for row in np.flatnonzero(kinds):
        aside = side // 3 if KINDS[kinds[row]] == "part" else side // 6
        x, y = generator.integers(0, aside + 1, 2)
        edge = side - aside
        pixels[row, y : y + edge, x : x + edge] += 120
        boxes[row] = np.array([x, y, x + edge - side, y + edge - side]) / side
        if KINDS[kinds[row]] == "landmark":
            places = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.35, 0.7], [0.65, 0.7]])
            landmarks[row] = ((places * edge + [x, y]) / side).ravel()
    return CropSet(pixels, kinds, boxes, landmarks)


@pytest.fixture(scope="session")
def crop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops") / "12"
    for number in range(2):
        write_crops(folder, number, made_crops(seed=number))
    (folder / "mined.json").write_text('{"source": "/home/someone/faces/train"}')
    return folder


@pytest.fixture
def mtcnn_values(crop_folder: Path) -> dict:
    return {
        "name": "tiny-p",
        "task": "mtcnn",
        "net": "p-net",
        "data": str(crop_folder),
        "held_out": 0.25,
        "batch": 16,
        "epochs": 2,
        "warmup_steps": 0,
        "learning_rate": 0.01,
        "ema_decay": 0.5,
        "threads": 1,
    }
