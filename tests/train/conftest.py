"""A data set small enough to train on in seconds: discs with two eyes on noise, labelled as RetinaFace labels faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml


def write_face_folder(folder: Path, pictures: int = 6, seed: int = 0) -> Path:
    generator = np.random.default_rng(seed)
    (folder / "images" / "discs").mkdir(parents=True)
    lines = []
    for number in range(pictures):
        pixels = generator.integers(0, 90, (120, 160, 3), dtype=np.uint8)
        lines.append(f"# discs/{number}.png")
        for column in range(2):
            radius = int(generator.integers(12, 25))
            x, y = int(generator.integers(30, 55)) + 75 * column, int(generator.integers(35, 85))
            cv2.circle(pixels, (x, y), radius, (230, 190, 160), -1)
            points = [(x - radius // 3, y - 4), (x + radius // 3, y - 4), (x, y + 2), (x - 4, y + 8), (x + 4, y + 8)]
            for px, py in points[:2]:
                cv2.circle(pixels, (px, py), 2, (20, 20, 20), -1)
            marks = " ".join(f"{px} {py} 0" for px, py in points)
            lines.append(f"{x - radius} {y - radius} {2 * radius} {2 * radius} {marks} 1.0")
        cv2.imwrite(str(folder / "images" / "discs" / f"{number}.png"), pixels[:, :, ::-1])
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def face_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_face_folder(tmp_path_factory.mktemp("discs"))


@pytest.fixture
def recipe_values(face_folder: Path) -> dict:
    return {
        "name": "tiny",
        "model": "face-small",
        "data": [{"path": str(face_folder)}],
        "validation": str(face_folder),
        "side_px": 96,
        "batch": 2,
        "epochs": 2,
        "warmup_steps": 2,
        "threads": 1,
        "workers": 0,
        "augment": {"mosaic": 0.3, "crop_ratios": [0.8, 1.2]},
    }


@pytest.fixture
def recipe_file(tmp_path: Path, recipe_values: dict) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe_values))
    return path
