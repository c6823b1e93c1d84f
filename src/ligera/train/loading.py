"""Samples -> batches, made in the order of a plan by worker processes that leave the cores to each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ligera.train.sampling import SampleKey

__all__ = ["loader"]

# A batch takes seconds at most; a worker that is silent for this long will not speak again.
WORKER_PATIENCE_S = 600


def loader(
    dataset: Dataset, keys: list[list[SampleKey]], collate: Callable[[list[Any]], Any], workers: int
) -> DataLoader:
    """Batches in the order of ``keys``, put together by ``collate`` in ``workers`` processes (0: in this one)."""
    return DataLoader(
        dataset,
        batch_sampler=keys,
        collate_fn=collate,
        num_workers=workers,
        worker_init_fn=_one_thread,
        timeout=WORKER_PATIENCE_S if workers else 0,
    )


def _one_thread(_worker: int) -> None:
    torch.set_num_threads(1)
