"""Locks on open files and folders that keep a second run out. One goes with the process that holds it, however it ends.

In: something open. Out: whether it is ours now. Where the system has no such locks (Windows) or the file system has
none (some network shares), a second run at once is the user's own affair.
"""

from __future__ import annotations

from typing import IO, Any

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["lock"]


def lock(opened: int | IO[Any], *, wait: bool = False) -> bool:
    """Take the lock on ``opened``, a descriptor or a file, until it is closed; ``wait`` for whoever has it, if need be.

    False where somebody else has it; true also where there are no locks.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        # PermissionError is how SMB shares say that it is taken; any other, that this file system has no locks
        return not isinstance(error, BlockingIOError | PermissionError)
    return True
