"""A run's state on disk: written whole or not at all, read without running code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ligera.errors import DataError
from ligera.files import write_whole

FILE_NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any], name: str = FILE_NAME) -> None:
    _write(folder / name, lambda path: torch.save(state, path))


def load_checkpoint(folder: Path, device: torch.device | str, name: str = FILE_NAME) -> dict[str, Any]:
    """The state last saved in a run folder. Raises ``DataError`` when there is none or it cannot be read."""
    path = folder / name
    if not path.is_file():
        raise DataError(f"{folder}: holds no {name}, so there is nothing to resume; start the run anew")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise DataError(f"{path}: damaged checkpoint ({type(error).__name__}); start the run anew") from None


def save_weights(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Weights alone, as safetensors."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    _write(path, lambda temporary: save_file(tensors, temporary))


def _write(path: Path, write: Callable[[Path], object]) -> None:
    try:
        write_whole(path, write)
    except (RuntimeError, SafetensorError) as error:
        # what the two packages make of a full disk, each in its own way
        raise DataError(f"{path}: could not be written whole; is there space on the disk?") from error


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """What ``save_weights`` wrote, on the CPU. Raises ``DataError`` for a file that is not there or not whole."""
    if not path.is_file():
        raise DataError(f"{path}: no such weights file")
    try:
        return load_file(path)
    except Exception as error:
        raise DataError(f"{path}: damaged weights ({type(error).__name__}); take them from the run again") from None


def load_into(network: nn.Module, path: Path) -> None:
    """Put the weights that a run saved at ``path`` into ``network``; ``DataError`` where they are another network's.

    A file that has weights of a backbone only may have some of its layers: the rest of ``network`` stays as it is.
    """
    weights, own = load_weights(path), network.state_dict()
    partly = all(name.startswith("backbone.") for name in weights)
    odd = sorted(weights.keys() - own.keys() if partly else own.keys() ^ weights.keys())
    odd += sorted(name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape)
    if odd:
        raise DataError(f"{path}: weights of another network ({len(odd)} tensors differ, {odd[0]} first)")
    network.load_state_dict(weights, strict=not partly)
