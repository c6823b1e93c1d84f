"""Locks on a study's folder, which go with the process that holds them, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ligera.errors import UsageError
from ligera.locks import lock

__all__ = ["held"]


@contextmanager
def held(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock file ``path``; where another has it ``wait`` for it, or raise ``UsageError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if not lock(file, wait=wait):
            raise UsageError(
                f"{path.parent}: this study is at work there already; wait for it, or give another --runs folder"
            )
        yield
