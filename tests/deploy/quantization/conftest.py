"""Real pictures in small numbers, labels that a real detector drew, and a cache of the test's own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.data.pictures import read_picture
from ligera.deploy.builtin import builtin_path
from ligera.deploy.detector import Detector

from ..conftest import PEOPLE

WIDTH_PX = 300


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ligera"


@pytest.fixture
def face_small() -> bytes:
    return builtin_path("face-small").read_bytes()


def people(width_px: int = WIDTH_PX) -> np.ndarray:
    """The picture of eight people, brought to this width."""
    pixels = read_picture(PEOPLE).pixels
    height_px = round(pixels.shape[0] * width_px / pixels.shape[1])
    return cv2.resize(pixels, (width_px, height_px), interpolation=cv2.INTER_AREA)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four pictures to calibrate on: the people lighter and darker, mirrored and not."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (gain, step) in enumerate(((1.0, 1), (0.7, -1), (1.2, -1), (0.5, 1))):
        pixels = np.clip(people().astype(np.float32) * gain, 0, 255).astype(np.uint8)[:, ::step]
        cv2.imwrite(str(folder / f"{number}.png"), np.ascontiguousarray(pixels[:, :, ::-1]))
    return folder


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures with what ``face-small`` in fp32 finds in them as labels: its own AP there is 1."""
    folder = tmp_path_factory.mktemp("labelled")
    lines = []
    with Detector.load("face-small", threads=1) as detector:
        for name, width_px in (("a.png", 480), ("b.png", 400)):
            pixels = people(width_px)
            (folder / "images" / "photos").mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / "images" / "photos" / name), pixels[:, :, ::-1])
            found = detector.detect(pixels, score=0.3)
            assert len(found) >= 6
            lines.append(f"# photos/{name}")
            lines += [f"{x1:.2f} {y1:.2f} {x2 - x1:.2f} {y2 - y1:.2f}" for x1, y1, x2, y2 in found.boxes.tolist()]
    (folder / "label.txt").write_text("\n".join(lines) + "\n")
    return folder
