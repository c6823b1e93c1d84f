"""Out of memory in a training step: how torch says it, and what to tell the user."""

from __future__ import annotations

from typing import Any

import torch

from ligera.errors import LigeraError, RecipeError
from ligera.train.recipe import Recipe

__all__ = ["advice", "is_out_of_memory"]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch could not get the memory it asked for: an error of its own on GPUs, any error on a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def advice(task: Any, recipe: Recipe) -> LigeraError:
    """What the task itself says would help (its ``out_of_memory``), else that a smaller batch would."""
    own = getattr(task, "out_of_memory", None)
    if own is not None:
        return own()
    return RecipeError(
        f"batch: out of memory with {recipe.batch} samples a step; make it smaller, and resume or start anew"
    )
