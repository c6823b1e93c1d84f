"""Ground truth of WIDER FACE's official evaluation, from its four MATLAB files.

In: a folder with ``wider_face_val.mat`` (events, pictures, all faces) and ``wider_easy_val.mat``,
``wider_medium_val.mat``, ``wider_hard_val.mat`` (per picture the 1-based numbers of the faces that setting counts).
Out: :class:`WiderGroundTruth`, boxes ``(G, 4)`` float64 ``x y w h`` px. Source: the evaluation tools that Yang et al.
publish with WIDER FACE (CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.errors import DataError, MissingExtra

__all__ = ["SETTINGS", "WiderGroundTruth", "WiderPicture", "read_ground_truth"]

SETTINGS = ("easy", "medium", "hard")


@dataclass(frozen=True, slots=True, eq=False)
class WiderPicture:
    """One picture: ``boxes`` ``(G, 4)`` float64 ``x y w h`` px and, per setting, which faces count, ``(G,)`` bool."""

    event: str
    name: str
    boxes: np.ndarray
    counted: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"boxes: expected shape (G, 4), got {self.boxes.shape}")
        if set(self.counted) != set(SETTINGS):
            raise ValueError(f"counted: expected {', '.join(SETTINGS)}, got {', '.join(self.counted)}")
        for setting, mask in self.counted.items():
            if mask.shape != (len(self.boxes),) or mask.dtype != bool:
                raise ValueError(
                    f"counted[{setting}]: expected ({len(self.boxes)},) bool, got {mask.dtype} {mask.shape}"
                )


@dataclass(frozen=True, slots=True, eq=False)
class WiderGroundTruth:
    """Every picture of the set, in the order of the official lists; ``source`` is the folder read."""

    pictures: tuple[WiderPicture, ...]
    source: str = "<records>"

    def __len__(self) -> int:
        return len(self.pictures)


def read_ground_truth(split_dir: str | Path) -> WiderGroundTruth:
    """The ground truth in ``split_dir``.

    Raises ``DataError`` naming the file that is missing or says something else than it should, ``MissingExtra`` where
    scipy is not installed.
    """
    folder = Path(split_dir)
    faces_file = folder / "wider_face_val.mat"
    faces = _load(faces_file, ("event_list", "file_list", "face_bbx_list"))
    kept = {}
    for setting in SETTINGS:
        file = folder / f"wider_{setting}_val.mat"
        kept[setting] = (file, _load(file, ("gt_list",))["gt_list"])
    pictures = tuple(_pictures(faces_file, faces, kept))
    if not pictures:
        raise DataError(f"{faces_file}: lists no picture")
    return WiderGroundTruth(pictures, str(folder))


def _load(file: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The variables ``names`` of a MATLAB file, each a flat array of one cell per event."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise MissingExtra("scipy", "train", "reading WIDER FACE's .mat files") from None
    if not file.is_file():
        raise DataError(f"{file}: not there; the official evaluation needs it, see eval_tools at the WIDER FACE page")
    try:
        content = loadmat(str(file), variable_names=names, appendmat=False)
    except Exception as error:  # a damaged file surfaces as almost any error of scipy, zlib or struct
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{file}: not a MATLAB file that can be read ({reason[:80]})") from None
    for name in names:
        if not isinstance(content.get(name), np.ndarray) or content[name].dtype != object:
            raise DataError(f"{file}: expected a cell array {name}, one cell per event")
    return {name: content[name].ravel() for name in names}


def _pictures(
    file: Path, faces: dict[str, np.ndarray], kept: dict[str, tuple[Path, np.ndarray]]
) -> Iterator[WiderPicture]:
    events = [_text(file, cell) for cell in faces["event_list"]]
    _same_length(file, "file_list", faces["file_list"], events)
    _same_length(file, "face_bbx_list", faces["face_bbx_list"], events)
    for setting_file, lists in kept.values():
        _same_length(setting_file, "gt_list", lists, events)
    for number, event in enumerate(events):
        names = [_text(file, cell).removesuffix(".jpg") for cell in np.ravel(faces["file_list"][number])]
        boxes = np.ravel(faces["face_bbx_list"][number])
        _same_length(file, f"face_bbx_list of {event}", boxes, names)
        lists = {setting: (path, np.ravel(cells[number])) for setting, (path, cells) in kept.items()}
        for path, cells in lists.values():
            _same_length(path, f"gt_list of {event}", cells, names)
        for place, name in enumerate(names):
            own = _boxes(file, f"{event}/{name}", boxes[place])
            counted = {s: _mask(path, f"{event}/{name}", cells[place], len(own)) for s, (path, cells) in lists.items()}
            yield WiderPicture(event, name, own, counted)


def _same_length(file: Path, name: str, cells: np.ndarray, wanted: list[str]) -> None:
    if len(cells) != len(wanted):
        raise DataError(f"{file}: {name} has {len(cells)} cells, expected {len(wanted)}")


def _text(file: Path, cell: Any) -> str:
    """The one string in a cell; MATLAB wraps it in arrays."""
    while isinstance(cell, np.ndarray) and cell.size == 1:
        cell = cell.ravel()[0]
    if not isinstance(cell, str) or not cell:
        raise DataError(f"{file}: expected the name of an event or picture, got {str(cell)[:40]!r}")
    return str(cell)


def _numbers(file: Path, where: str, cell: Any) -> np.ndarray:
    if not isinstance(cell, np.ndarray) or cell.dtype.kind not in "buif":
        raise DataError(f"{file}: {where}: expected numbers, got {str(cell)[:40]!r}")
    return cell


def _boxes(file: Path, where: str, cell: Any) -> np.ndarray:
    boxes = _numbers(file, where, cell).astype(np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise DataError(f"{file}: {where}: expected finite boxes x y w h, got an array of shape {boxes.shape}")
    return boxes


def _mask(file: Path, where: str, cell: Any, faces: int) -> np.ndarray:
    numbers = _numbers(file, where, cell).ravel()
    mask = np.zeros(faces, dtype=bool)
    if not len(numbers):
        return mask
    if numbers.min() < 1 or numbers.max() > faces:
        raise DataError(f"{file}: {where}: expected face numbers 1 to {faces}, got {numbers.min()} to {numbers.max()}")
    mask[numbers.astype(np.int64) - 1] = True
    if np.count_nonzero(mask) != len(numbers):
        raise DataError(f"{file}: {where}: a face number stands there twice")
    return mask
