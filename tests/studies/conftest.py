"""What studies train in tests: the pictures of two classes that the classification tests use."""

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def classifier_values(tmp_path: Path) -> dict:
    generator = np.random.default_rng(0)
    for name, rows in (("above", slice(0, 8)), ("below", slice(8, None))):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for number in range(24):
            pixels = generator.integers(0, 120, (16, 16, 3), dtype=np.uint8)
            pixels[rows] += 100
            cv2.imwrite(str(tmp_path / "classes" / name / f"{number}.png"), pixels)
    values = {"task": "classification", "model": "conv14", "data": str(tmp_path / "classes"), "side_px": 16}
    return values | {"held_out": 12, "batch": 6, "epochs": 1, "warmup_steps": 0, "threads": 1}
