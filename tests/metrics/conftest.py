"""Small WIDER FACE sets made on the spot, and where the real ones stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ligera.metrics.widerface import WiderPicture
from ligera.metrics.widerface_mat import SETTINGS

REAL_FACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "faces"


@pytest.fixture
def wider_mini() -> Path:
    """The folder of the real .mat files; skips where it is not."""
    folder = REAL_FACES / "wider_mini" / "wider_face_split"
    if not folder.is_dir():
        pytest.skip("the real face data does not stand at ../shared/data")
    return folder


def picture(name: str, boxes: object, event: str = "0--Parade", **counted: list[bool]) -> WiderPicture:
    """A picture of the ground truth; settings not given count every face."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    masks = {setting: np.asarray(counted.get(setting, [True] * len(boxes)), dtype=bool) for setting in SETTINGS}
    return WiderPicture(event, name, boxes, masks)


def random_pictures(random: np.random.Generator, count: int) -> tuple[WiderPicture, ...]:
    """Pictures in three events, some without faces, faces crowding each other, settings counting some of them."""
    made = []
    for number in range(count):
        faces = int(random.integers(0, 9))
        boxes = np.round(np.column_stack([random.uniform(0, 60, (faces, 2)), random.uniform(2, 40, (faces, 2))]))
        counted = {setting: random.random(faces) < 0.6 for setting in SETTINGS}
        made.append(WiderPicture(f"{number % 3}--Event", f"picture_{number}", boxes, counted))
    return tuple(made)


def random_detections(
    random: np.random.Generator, pictures: tuple[WiderPicture, ...], wobble: float
) -> dict[str, dict[str, np.ndarray]]:
    """Shifted copies of the faces among boxes on nothing, scores with ties, in no order."""
    detections: dict[str, dict[str, np.ndarray]] = {}
    for one in pictures:
        near = np.repeat(one.boxes, random.integers(0, 4), axis=0)
        near = near + random.normal(0, wobble, near.shape) * np.tile(near[:, 2:], 2)
        anywhere = random.uniform(1, 60, (random.integers(0, 12), 4))
        boxes = np.round(np.concatenate([near, anywhere]), 1)
        scores = np.round(random.beta(2, 2, len(boxes)), 2)
        detections.setdefault(one.event, {})[one.name] = np.column_stack([boxes, scores])
    return detections


def cells(values: list) -> np.ndarray:
    """A MATLAB cell array of one column."""
    array = np.empty((len(values), 1), dtype=object)
    for place, value in enumerate(values):
        array[place, 0] = value
    return array


def mat_contents(pictures: tuple[WiderPicture, ...]) -> dict[str, dict[str, np.ndarray]]:
    """What the four .mat files of ``pictures`` hold: file name -> variable -> cells."""
    events = sorted({one.event for one in pictures})
    groups = [[one for one in pictures if one.event == event] for event in events]
    lists = {
        "event_list": cells(events),
        "file_list": cells([cells([one.name for one in group]) for group in groups]),
        "face_bbx_list": cells([cells([one.boxes for one in group]) for group in groups]),
    }
    contents: dict[str, dict[str, np.ndarray]] = {"wider_face_val.mat": lists}
    for setting in SETTINGS:
        kept = [cells([np.flatnonzero(one.counted[setting])[:, None] + 1 for one in group]) for group in groups]
        contents[f"wider_{setting}_val.mat"] = {**lists, "gt_list": cells(kept)}
    return contents


def write_mats(folder: Path, contents: Mapping[str, Mapping[str, np.ndarray]]) -> Path:
    """Write the files; returns ``folder``."""
    savemat = pytest.importorskip("scipy.io").savemat
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        savemat(folder / name, dict(content), do_compression=True)
    return folder
