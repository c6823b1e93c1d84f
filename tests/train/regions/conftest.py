"""Pages small enough to train on in seconds: red bands and blue discs on paper, as COCO instances."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ligera.models.layout_catalogue import LAYOUT_DETECTORS, find_layout
from ligera.models.layout_specs import VoVNetSpec

WIDTH, HEIGHT = 128, 160


def write_drawn_pages(folder: Path, pages: int = 4, seed: int = 0) -> Path:
    """A folder with ``annotations.json`` and ``images/``: each page has two bands and one disc."""
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, pages + 1):
        pixels = generator.integers(190, 220, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        shapes = []
        for row in range(2):
            x, y = int(generator.integers(8, 20)), int(generator.integers(10, 25)) + 70 * row
            band = np.array([[x, y], [x + 90, y + 2], [x + 90, y + 20], [x, y + 18]])
            cv2.fillPoly(pixels, [band], (200, 60, 60))
            shapes.append((1, band))
        x, y = int(generator.integers(30, 100)), int(generator.integers(52, 60))
        around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        disc = np.rint(np.stack([x + 12 * np.cos(around), y + 12 * np.sin(around)], axis=1)).astype(int)
        cv2.fillPoly(pixels, [disc], (50, 60, 200))
        shapes.append((2, disc))
        cv2.imwrite(str(folder / "images" / f"{number}.png"), pixels[:, :, ::-1])
        images.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
        for label, points in shapes:
            low, high = points.min(axis=0), points.max(axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": label,
                    "segmentation": [points.ravel().tolist()],
                    "bbox": [*low.tolist(), *(high - low).tolist()],
                    "area": float(cv2.contourArea(points.astype(np.float32))),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 1, "name": "band"}, {"id": 2, "name": "disc"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def drawn_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_pages(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def region_values(drawn_pages: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A recipe of a network that takes a few hundredths of a second for a step."""
    backbone = VoVNetSpec((1, 1, 1, 1), layers=1, stem=(8, 8, 8), widths=(8, 8, 8, 8), channels=(16, 16, 16, 16))
    sizes = {"pyramid_channels": 16, "box_channels": 32, "mask_layers": 1, "mask_channels": 16, "box_samples": 32}
    few = {"train_candidates": 60, "train_proposals": 60, "anchor_samples": 64}
    tiny = replace(find_layout("layout-small"), backbone=backbone, **sizes, **few)
    monkeypatch.setitem(LAYOUT_DETECTORS, "tiny", tiny)
    return {
        "name": "drawn",
        "task": "regions",
        "model": "tiny",
        "data": str(drawn_pages),
        "side_px": 160,
        "batch": 2,
        "epochs": 2,
        "warmup_steps": 0,
        "threads": 1,
    }


@pytest.fixture
def broken_pages(drawn_pages: Path, tmp_path: Path):
    """Writes the drawn pages' file anew after a change, beside the same pictures, and returns its folder."""

    def write(change) -> Path:
        content = json.loads((drawn_pages / "annotations.json").read_text())
        change(content)
        folder = tmp_path / "broken"
        folder.mkdir()
        (folder / "images").symlink_to(drawn_pages / "images")
        (folder / "annotations.json").write_text(json.dumps(content))
        return folder

    return write
