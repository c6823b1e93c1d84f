"""A network whose answer anyone can foretell: it finds bright 32 px cells. Exported for real."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ligera.deploy.bundle import BundleCard
from ligera.deploy.export.network import export_bundle, export_classifier
from ligera.models.retinaface import RawOutputs
from ligera.records import Decoding, Preprocess, PriorSpec

from .colour_sets import ColourOf, colours_card

CELL_PX = 32
REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
PEOPLE = Path(__file__).parents[2] / "examples" / "people.jpg"


class BrightSpots(nn.Module):
    """Scores each 32 px cell by its brightness; box and landmarks are those of the prior itself."""

    def __init__(self) -> None:
        super().__init__()
        self.grey = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.constant_(self.grey.weight, 1 / 3)

    def forward(self, pictures: Tensor) -> RawOutputs:
        cells = nn.functional.avg_pool2d(self.grey(pictures), CELL_PX).permute(0, 2, 3, 1)
        bright = cells.reshape(cells.shape[0], -1, 1)
        nothing = bright * 0
        return RawOutputs(nothing.repeat(1, 1, 4), (bright - 0.5) * 20, nothing.repeat(1, 1, 10))


def spots_card(name: str = "spots", **changes: object) -> BundleCard:
    priors = PriorSpec(strides=(CELL_PX,), sizes=((CELL_PX,),))
    decoding = Decoding(priors, score_threshold=0.9, activation="sigmoid")
    return BundleCard(name, Preprocess(scale=(1 / 255,) * 3), decoding, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle of ``BrightSpots``."""
    path = tmp_path_factory.mktemp("bundle") / "spots.onnx"
    export_bundle(BrightSpots(), spots_card(scores={"AP50 (spots)": 1.0}, licence="CC0-1.0"), path)
    return path


@pytest.fixture(scope="session")
def classifier_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle of ``ColourOf``."""
    path = tmp_path_factory.mktemp("classifier") / "colours.onnx"
    export_classifier(ColourOf(), colours_card(), path)
    return path


def spots(width: int, height: int, *cells: tuple[int, int]) -> np.ndarray:
    """A dark picture with bright cells at these (column, row) places of the 32 px grid."""
    pixels = np.full((height, width, 3), 20, np.uint8)
    for column, row in cells:
        pixels[row * CELL_PX : (row + 1) * CELL_PX, column * CELL_PX : (column + 1) * CELL_PX] = 250
    return pixels


@pytest.fixture
def picture_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a picture of bright cells as PNG and returns where."""

    def write(name: str = "spots.png", *cells: tuple[int, int], width: int = 128, height: int = 96) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), spots(width, height, *cells)[:, :, ::-1])
        return path

    return write


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    torch.manual_seed(0)
