"""People that anyone can tell apart: bright cells, as the detector of ``deploy.conftest`` finds, reddish or bluish.

``ann`` is reddish, anybody else bluish; the recogniser is a real bundle that looks at the mean colour of its square.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ligera.deploy.bundle import BundleCard
from ligera.deploy.enrolling.squares import FaceRule
from ligera.deploy.export.recognizer import write_recognizer
from ligera.records import Preprocess

from ..conftest import CELL_PX

ANN, OTHER = (255, 190, 190), (190, 190, 255)
SIDE_PX = 32
FPS = 10.0

# Cells (column, row) of a frame and the colour of each.
Cells = dict[tuple[int, int], tuple[int, int, int]]


def frame(cells: Cells, width: int = 160, height: int = 96) -> np.ndarray:
    pixels = np.full((height, width, 3), 20, np.uint8)
    for (column, row), colour in cells.items():
        pixels[row * CELL_PX : (row + 1) * CELL_PX, column * CELL_PX : (column + 1) * CELL_PX] = colour
    return pixels


def write_film(path: Path, frames: Sequence[Cells], fps: float = FPS) -> Path:
    """A video of these frames; the test is skipped where OpenCV writes none."""
    codec = "mp4v" if path.suffix == ".mp4" else "MJPG"
    height, width = frame({}).shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (width, height))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for cells in frames:
        writer.write(frame(cells)[:, :, ::-1])
    writer.release()
    return path


def write_recognizer_of_colours(path: Path, detector: str, names: tuple[str, ...] = ("ann",)) -> Path:
    """A bundle whose first person is reddish, and the second, if any, green."""
    pictures = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["batch", 3, SIDE_PX, SIDE_PX])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3])
    node = helper.make_node("ReduceMean", ["pictures"], ["features"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph([node], "colours", [pictures], [features])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    weight = np.array([[0.5, 0.0, -0.5], [-0.5, 1.0, -0.5]], np.float32)[: len(names)]
    card = BundleCard(
        " and ".join(names),
        Preprocess(multiple=1, fixed=(SIDE_PX, SIDE_PX), crop=True),
        task="classify",
        labels=(*names, "unknown"),
    )
    rule = FaceRule(detector, thresholds=(0.0,) * len(names))
    write_recognizer(model.SerializeToString(), weight, np.zeros(len(names), np.float32), card, rule, path)
    return path


def metadata_without_faces(path: Path, out: Path) -> Path:
    """The same classifier, but not as ``ligera enroll`` makes it."""
    model = onnx.load(path)
    kept = [entry for entry in model.metadata_props if entry.key != "ligera.face"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, out)
    return out
