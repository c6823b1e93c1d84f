"""Small files that the kernel makes up, read in as few calls as can be.

Each call lets the interpreter's lock go, and a sampling thread waits 5 ms to have it back from work that is all Python:
the many calls behind ``open`` would take a sample a third of a second and the work a thousand switches a minute.
"""

from __future__ import annotations

import os

__all__ = ["read_kernel_file"]

MOST_BYTES = 2**14


def read_kernel_file(path: str) -> bytes:
    """The first 16 kB. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        return os.read(descriptor, MOST_BYTES)
    finally:
        os.close(descriptor)
