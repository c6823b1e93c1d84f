"""What MTCNN's networks are trained on: square crops with their targets, in shards of one folder.

``ligera mine`` writes them, training reads them. A folder holds ``shard-00000.npz``, ``shard-00001.npz`` and so on, and
the card ``mined.json``: stage (12, 24 or 48), side, counts per kind, thresholds, source and models used. The card
appears last. Source: Zhang et al. 2016, section II.C (negatives, positives, part faces, landmark faces).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.arrays import read_arrays, read_shapes, save_arrays
from ligera.errors import DataError
from ligera.files import write_whole

__all__ = ["CARD", "KINDS", "PROGRESS", "CropSet", "read_crops", "shard_paths", "write_crops"]

KINDS = ("negative", "positive", "part", "landmark")
"""What a crop is for; its code is the place in here."""
CARD = "mined.json"
PROGRESS = "progress.jsonl"
SHARD = re.compile(r"shard-(\d{5,})\.npz")


@dataclass(frozen=True, slots=True, eq=False)
class CropSet:
    """N square crops and what a network should answer to each.

    ``pixels`` ``(N, side, side, 3)`` uint8 RGB. ``kinds`` ``(N,)`` int8, codes of ``KINDS``. ``boxes`` ``(N, 4)``
    float32: how far each corner ``x1 y1 x2 y2`` of the true box lies from the same corner of the crop, divided by the
    crop's side, both in px of the picture; NaN for negatives. ``landmarks`` ``(N, 10)`` float32: ``x y`` five times,
    from the crop's upper left corner, divided by its side; NaN where unknown, for negatives and for part faces.
    """

    pixels: np.ndarray
    kinds: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        shape = pixels.shape
        if pixels.dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[1] < 1 or shape[3] != 3:
            raise ValueError(f"pixels: expected uint8 (N, side, side, 3), got {pixels.dtype} {shape}")
        wanted = {"kinds": (np.int8, ()), "boxes": (np.float32, (4,)), "landmarks": (np.float32, (10,))}
        for name, (dtype, row) in wanted.items():
            array = np.asarray(getattr(self, name))
            if array.dtype != dtype or array.shape != (len(pixels), *row):
                expected = f"{np.dtype(dtype)} {(len(pixels), *row)}"
                raise ValueError(f"{name}: expected {expected}, got {array.dtype} {array.shape}")
        kinds = np.asarray(self.kinds)
        if len(kinds) and not 0 <= int(kinds.min()) <= int(kinds.max()) < len(KINDS):
            raise ValueError(f"kinds: expected 0 to {len(KINDS) - 1}, got {kinds.min()} to {kinds.max()}")

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def side_px(self) -> int:
        return self.pixels.shape[1]

    def take(self, rows: Any) -> CropSet:
        """The crops at ``rows`` (an index array, mask or slice), in that order."""
        return CropSet(*(getattr(self, field.name)[rows] for field in fields(self)))

    def counts(self) -> dict[str, int]:
        """How many crops there are of each of ``KINDS``."""
        return dict(zip(KINDS, np.bincount(self.kinds, minlength=len(KINDS)).tolist(), strict=True))


NAMES = tuple(field.name for field in fields(CropSet))


def write_crops(folder: Path, number: int, crops: CropSet) -> Path:
    """Write ``crops`` as shard ``number`` (from 0) of ``folder``, whole or not at all; returns its path.

    The same crops give the same bytes.
    """
    if number < 0:
        raise ValueError(f"number: expected 0 or more, got {number}")
    path = folder / f"shard-{number:05d}.npz"
    arrays = {name: getattr(crops, name) for name in NAMES}
    write_whole(path, partial(_save, arrays))
    return path


def _save(arrays: dict[str, np.ndarray], path: Path) -> None:
    save_arrays(path, arrays)


def read_crops(folder: Path) -> CropSet:
    """All crops of ``folder``, in the order of its shards; in memory once.

    Raises ``DataError`` for a folder without shards or without one in between, a mining that has not ended, a damaged
    shard, and shards of different sides.
    """
    paths = shard_paths(folder)
    shapes = [_pixel_shape(path) for path in paths]
    for path, shape in zip(paths, shapes, strict=True):
        if shape[1] != shapes[0][1]:
            first = f"{shapes[0][1]} px in {paths[0].name}"
            raise DataError(f"{path}: holds crops of {shape[1]} px, but {first}; keep one folder for each stage")
    return _joined(paths, shapes)


def shard_paths(folder: Path) -> list[Path]:
    """The shards of ``folder`` in order; ``DataError`` where there are none, one is missing or more are to come."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one that `ligera mine` has written")
    if (folder / PROGRESS).is_file() and not (folder / CARD).is_file():
        raise DataError(f"{folder}: its mining has not ended; run the same `ligera mine` again, it goes on")
    numbered = {int(match[1]): path for path in folder.iterdir() if (match := SHARD.fullmatch(path.name))}
    if not numbered:
        raise DataError(f"{folder}: holds no shard-00000.npz; expected a folder that `ligera mine` has written")
    for number in range(len(numbered)):
        if number not in numbered:
            raise DataError(f"{folder}: shard-{number:05d}.npz is missing; run the same `ligera mine` again")
    return [numbered[number] for number in range(len(numbered))]


def _pixel_shape(path: Path) -> tuple[int, ...]:
    shape = read_shapes(path, NAMES)["pixels"]
    if len(shape) != 4:
        raise DataError(f"{path}: is damaged (pixels of shape {shape}); remove it and make it again")
    return shape


def _joined(paths: Sequence[Path], shapes: Sequence[tuple[int, ...]]) -> CropSet:
    count = sum(shape[0] for shape in shapes)
    whole = {
        "pixels": np.empty((count, *shapes[0][1:]), np.uint8),
        "kinds": np.empty(count, np.int8),
        "boxes": np.empty((count, 4), np.float32),
        "landmarks": np.empty((count, 10), np.float32),
    }
    start = 0
    for path, shape in zip(paths, shapes, strict=True):
        try:
            part = CropSet(**read_arrays(path, NAMES))
        except ValueError as error:
            raise DataError(f"{path}: is damaged ({error}); remove it and make it again") from None
        for name in NAMES:
            whole[name][start : start + shape[0]] = getattr(part, name)
        start += shape[0]
    return CropSet(**whole)
