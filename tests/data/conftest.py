"""Where the real data stands, and pictures made on the spot."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def faces_folder() -> Path:
    """The real face data; skips where it is not."""
    if not (REAL_DATA / "faces").is_dir():
        pytest.skip("the real face data does not stand at ../shared/data")
    return REAL_DATA / "faces"


@pytest.fixture
def people_folder() -> Path:
    """The real pictures of people with machine labels; skips where they are not."""
    if not (REAL_DATA / "people").is_dir():
        pytest.skip("the real people data does not stand at ../shared/data")
    return REAL_DATA / "people"


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    """The bytes of a picture file that Pillow writes."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def striped() -> Image.Image:
    """60 x 40 px RGB: the left third red, the rest dark blue, so that any turn shows."""
    pixels = np.full((40, 60, 3), (10, 20, 90), np.uint8)
    pixels[:, :20] = (200, 30, 10)
    return Image.fromarray(pixels)


def noise(width: int = 60, height: int = 40) -> Image.Image:
    """Pixels that compress badly, so that half the file is not nearly the whole picture."""
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8))


def write_picture(path: Path, width: int = 60, height: int = 40) -> Path:
    """A small JPEG at ``path``, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(noise(width, height), "JPEG"))
    return path
