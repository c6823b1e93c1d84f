"""Small sets of pictures with one label each, made on the spot: CIFAR-10's files and folders per class."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from .conftest import write_picture

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def cifar_rows(count: int, seed: int = 0) -> np.ndarray:
    """Random rows as CIFAR-10 keeps them, ``(count, 3072)`` uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def write_cifar(folder: Path, *, each: int = 10, protocol: int = 2, text_keys: bool = False) -> Path:
    """All six files with ``each`` pictures, one of each class in turn; returns the folder that holds them."""
    place = folder / "cifar-10-batches-py"
    place.mkdir(parents=True)

    def key(name: str) -> str | bytes:
        return name if text_keys else name.encode()

    for seed, name in enumerate(BATCHES):
        labels = [row % 10 for row in range(each)]
        dump(place / name, {key("data"): cifar_rows(each, seed), key("labels"): labels}, protocol)
    dump(place / "batches.meta", {key("label_names"): [key(name) for name in NAMES], key("num_vis"): 3072}, protocol)
    return place


def dump(file: Path, value: object, protocol: int = 2) -> None:
    file.write_bytes(pickle.dumps(value, protocol))


def write_classes(folder: Path, counts: dict[str, int], *, width: int = 24, height: int = 16) -> Path:
    """A folder for each class with so many JPEGs, all different."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            # the conftest's pictures are all the same but for their size
            write_picture(folder / name / f"{number}.jpg", width + 2 * number, height)
            file = folder / name / f"{number}.jpg"
            file.write_bytes(file.read_bytes() + f"{name} {number}".encode())
    return folder
