"""A sampler's state on its way into a checkpoint and back: arrays as tensors, and checks that it is one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ligera.train.samplers.pool import Pool


def identity(kind: str, pool: Pool, seed: int, **options: Any) -> dict[str, Any]:
    """What must be the same in a checkpoint and in the sampler that takes it up."""
    return {"kind": kind, "size": pool.size, "rows": len(pool.rows), "draws": pool.draws, "seed": seed, **options}


def check_identity(state: dict[str, Any], expected: dict[str, Any]) -> None:
    """``KeyError``, ``TypeError`` or ``ValueError`` unless ``state`` is one of the sampler that ``expected`` names."""
    for name, value in expected.items():
        got = state[name]
        if type(got) is not type(value) or got != value:
            raise ValueError(f"sampler state: expected {name} {value}, got {got}")


def kept(array: np.ndarray) -> torch.Tensor:
    """A copy of ``array`` that later changes do not reach."""
    return torch.from_numpy(array.copy())


def taken(state: dict[str, Any], name: str, dtype: type, count: int) -> np.ndarray:
    """The array ``(count,)`` kept under ``name``, wherever the checkpoint was loaded to."""
    value = state[name]
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"sampler state: expected a tensor as {name}, got {type(value).__name__}")
    array = value.cpu().numpy().copy()
    if array.dtype != dtype or array.shape != (count,):
        raise ValueError(
            f"sampler state: expected {np.dtype(dtype)} ({count},) as {name}, got {array.dtype} {array.shape}"
        )
    return array


def taken_rows(state: dict[str, Any], name: str, count: int, pool: Pool) -> np.ndarray:
    """``count`` different rows of ``pool``, rising, kept under ``name``."""
    rows = taken(state, name, np.int64, count)
    if (np.diff(rows) <= 0).any() or not np.isin(rows, pool.rows).all():
        raise ValueError(f"sampler state: expected rising rows of the data set as {name}")
    return rows


def taken_score(state: dict[str, Any], name: str) -> float | None:
    """The score from 0 to 1, or None, kept under ``name``."""
    score = state[name]
    if score is None:
        return None
    if not isinstance(score, float) or not 0 <= score <= 1:
        raise ValueError(f"sampler state: expected a score from 0 to 1 as {name}, got {score!r}")
    return score
