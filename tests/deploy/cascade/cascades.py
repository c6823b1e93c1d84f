"""Cascades for tests: real bundles, and networks whose answer anyone can foretell."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ligera.deploy.bundle import BundleCard, card_from_metadata
from ligera.deploy.cascade.engine import CascadeEngine
from ligera.deploy.opening import open_engine
from ligera.deploy.runtimes import open_runtime
from ligera.models.cascade import cells_along
from ligera.records import Decoding, Preprocess

RULE = Preprocess(mean=(127.5,) * 3, scale=(1 / 128,) * 3, multiple=1)


def card(**changes: object) -> BundleCard:
    return BundleCard("mtcnn", RULE, Decoding(), **changes)  # type: ignore[arg-type]


def opened(path: Path) -> CascadeEngine:
    runtime = open_runtime(path, threads=1)
    engine = open_engine(runtime, card_from_metadata(runtime.metadata, str(path)))
    assert isinstance(engine, CascadeEngine)
    return engine


def answer(
    batch: np.ndarray, margins: Callable[[np.ndarray], np.ndarray] | float, *, points: int = 10
) -> dict[str, np.ndarray]:
    """What networks that leave every box where it is would say."""
    count, _, rows, columns = batch.shape
    cells = 1 if (rows, columns) in ((24, 24), (48, 48)) else cells_along(rows) * cells_along(columns)
    scores = np.zeros((count, cells, 1), np.float32)
    scores[:] = margins(batch) if callable(margins) else margins
    return {
        "boxes": np.zeros((count, cells, 4), np.float32),
        "scores": scores,
        "landmarks": np.full((count, cells, points), 0.5, np.float32),
    }


def brightness(batch: np.ndarray) -> np.ndarray:
    """Margins that are large where all of a network's window is white."""
    count, _, rows, columns = batch.shape
    if (rows, columns) in ((24, 24), (48, 48)):
        return batch.min(axis=(1, 2, 3)).reshape(count, 1, 1) / 10 - 20
    windows = np.lib.stride_tricks.sliding_window_view(batch[:, 0], (12, 12), axis=(1, 2))[:, ::2, ::2]
    windows = windows.min(axis=(3, 4))
    found = np.full((count, cells_along(rows), cells_along(columns)), -20.0)
    found[:, : windows.shape[1], : windows.shape[2]] = windows[:, : found.shape[1], : found.shape[2]] / 10 - 20
    return found.reshape(count, -1, 1)
