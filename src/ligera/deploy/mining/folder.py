"""The folder of a result: one run at a time in it, nothing left over by those that were killed.

In: a path. Out: a folder that is ours until the block ends.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ligera.data.crops import PROGRESS
from ligera.deploy.mining.picture_work import UNFINISHED
from ligera.errors import UsageError
from ligera.locks import lock

__all__ = ["clean", "keep_apart", "owned"]

# What ``files.write_whole`` leaves behind when it is killed.
LEFT_OVER = re.compile(r"\.(shard-\d+\.npz|[a-z]+\.(jsonl?|png))\.[0-9a-f]{12}")


def keep_apart(source: Path, out: Path) -> None:
    """Refuse results among the sources, or around them."""
    folder, target = source.resolve(), out.resolve()
    if source.is_dir() and (target.is_relative_to(folder) or folder.is_relative_to(target)):
        raise UsageError(f"--out {out}: lies within {source}, or around it; choose a folder elsewhere")


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """``folder``, made if need be, for this run alone.

    Raises ``UsageError`` where another run is at work in it, or where it holds anything but a mining.
    """
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
    try:
        if opened is not None and not lock(opened):
            raise UsageError(f"{folder}: another run is at work there; wait for it, or choose another folder")
        foreign = next((path.name for path in folder.iterdir() if path.name != UNFINISHED), None)
        if foreign is not None and not (folder / PROGRESS).is_file():
            raise UsageError(f"{folder}: holds {foreign} and no mining to go on with; choose another folder")
        yield
    finally:
        if opened is not None:
            os.close(opened)


def clean(folder: Path) -> None:
    """Take away what killed runs have left half done."""
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    for path in folder.iterdir():
        if LEFT_OVER.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
