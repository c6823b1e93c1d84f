"""Pictures of a training run: its curves, and what the network finds in validation pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from torch import nn

from ligera.files import write_bytes, write_whole
from ligera.records import Detections, Picture, Targets
from ligera.train.faces import FaceTask

matplotlib.use("agg")

FOUND, LABELLED = (255, 140, 0), (60, 200, 90)


def draw_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Loss parts, scores and learning rate over epochs, side by side, as PNG."""
    if not history:
        return
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, prefix, title in zip(
        panels, ("loss_", "ap", "learning_rate"), ("loss", "AP at IoU 0.5", "learning rate"), strict=True
    ):
        for name in sorted({key for row in history for key in row if key.startswith(prefix)}):
            points = [(row["epoch"], row[name]) for row in history if name in row]
            panel.plot(*zip(*points, strict=True), label=name.removeprefix("loss_"), linewidth=1.5)
        panel.set_xlabel("epoch")
        panel.set_title(title)
        panel.grid(alpha=0.3)
        if panel.lines and prefix != "learning_rate":
            panel.legend(fontsize=8)
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))


def draw_predictions(task: FaceTask, network: nn.Module, path: Path, count: int = 12) -> None:
    """A sheet of evenly chosen validation pictures: labels green, detections over 0.5 orange."""
    pictures = task.validation
    if not pictures:
        return
    chosen = [pictures[i] for i in np.linspace(0, len(pictures) - 1, min(count, len(pictures))).astype(int)]
    tiles = [_tile(picture, sample.targets, task.detect(network, picture, score=0.5)) for sample, picture in chosen]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 4)
    sheet = np.vstack([np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)])
    write_bytes(path, cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())


def _tile(picture: Picture, targets: Targets, found: Detections, side_px: int = 320) -> np.ndarray:
    factor = side_px / max(picture.width, picture.height)
    small = cv2.resize(picture.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    tile = np.full((side_px, side_px, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:side_px, :side_px]
    for boxes, colour in ((targets.boxes, LABELLED), (found.boxes, FOUND)):
        for x1, y1, x2, y2 in np.rint(boxes * factor).astype(int).tolist():
            cv2.rectangle(tile, (x1, y1), (x2, y2), colour, 1)
    return tile
