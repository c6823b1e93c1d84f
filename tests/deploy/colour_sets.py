"""A classifier of plain colours, its answers known by hand, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ligera.deploy.bundle import BundleCard
from ligera.records import Preprocess

COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
SIDE_PX = 16
MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)


class ColourOf(nn.Module):
    """Logits are the mean of each channel of the normalised picture, minus its neighbour's in part."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.mix.weight.copy_(torch.eye(3)[:, :, None, None] - 0.1)
            self.mix.bias.copy_(torch.tensor([0.1, 0.0, -0.1]))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.mix(pictures).mean((2, 3))


def colours_card(name: str = "colours", **changes: object) -> BundleCard:
    scale = tuple(1 / value for value in STD)
    rule = Preprocess(mean=MEAN, scale=scale, multiple=1, fixed=(SIDE_PX, SIDE_PX), crop=True)  # type: ignore[arg-type]
    values: dict[str, object] = {"task": "classify", "labels": tuple(COLOURS), "preprocess": rule}
    return BundleCard(name, **(values | changes))  # type: ignore[arg-type]


def plain(colour: str, width: int = 40, height: int = 40) -> np.ndarray:
    """A picture of one colour, with some noise so that no two rows are alike."""
    noise = np.random.default_rng(width * height).integers(-8, 9, (height, width, 3))
    return np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)


def write_plain(path: Path, colour: str, width: int = 40, height: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), plain(colour, width, height)[:, :, ::-1])
    return path


def write_class_folders(folder: Path) -> Path:
    """Two pictures of each colour in a folder of its name; one that lies in ``blue`` is really red."""
    for colour in COLOURS:
        write_plain(folder / colour / "a.png", colour)
        write_plain(folder / colour / "b.png", "red" if colour == "blue" else colour, width=64)
    return folder
