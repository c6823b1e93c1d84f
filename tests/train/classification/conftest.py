"""Two kinds of picture that a tiny network tells apart in seconds: bright above, or bright below, on noise."""

from pathlib import Path

import cv2
import numpy as np
import pytest


def write_class_folders(folder: Path, pictures: int = 24, side_px: int = 16, seed: int = 0) -> Path:
    generator = np.random.default_rng(seed)
    for name, rows in (("above", slice(0, side_px // 2)), ("below", slice(side_px // 2, None))):
        (folder / name).mkdir(parents=True)
        for number in range(pictures):
            pixels = generator.integers(0, 120, (side_px, side_px, 3), dtype=np.uint8)
            pixels[rows] += 100
            cv2.imwrite(str(folder / name / f"{number}.png"), pixels)
    return folder


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_class_folders(tmp_path_factory.mktemp("classes"))


@pytest.fixture
def classifier_values(class_folders: Path) -> dict:
    return {
        "name": "halves",
        "task": "classification",
        "model": "conv14",
        "data": str(class_folders),
        "side_px": 16,
        "held_out": 12,
        "batch": 6,
        "epochs": 2,
        "warmup_steps": 0,
        "threads": 1,
        "augment": {"mirror": 0.5, "shift_px": 1},
    }
