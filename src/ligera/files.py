"""Files written whole or not at all, and run folders that no two runs share.

In: bytes or JSON-ready values and where they belong. Out: files that a reader never sees half-written.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

__all__ = ["JsonLines", "new_run_folder", "write_bytes", "write_unforced", "write_whole"]


def write_bytes(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, replacing what stood there only once all of it is on disk."""
    write_whole(path, lambda temporary: temporary.write_bytes(content))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, which takes its place only once all of it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}")
    with _naming(path):
        # not mkstemp, whose files only their owner can read: a result is an ordinary file
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        with _naming(path):
            write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_unforced(path: Path, content: bytes, unfinished: Path) -> None:
    """Put ``content`` at ``path``, whole or not at all, by way of the folder ``unfinished`` on the same disk.

    Not forced onto the disk, which may take longer than making it: what is lost with the power shows by its size, for
    those who keep a record of that. What a kill leaves behind is all in ``unfinished``.
    """
    for folder in (path.parent, unfinished):
        folder.mkdir(parents=True, exist_ok=True)
    temporary = unfinished / secrets.token_hex(16)
    try:
        with _naming(path):
            temporary.write_bytes(content)
            temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the system name ``path``: those of a full disk name none, others a temporary file nobody asked for."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


class JsonLines:
    """Writes one JSON object per line to a ``.part`` file beside ``path``, which becomes ``path`` on leaving.

    Whatever ends the block, an interrupt or a full disk included, the whole lines written so far are kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(f".{path.name}.part")
        self._file: BinaryIO | None = None
        self._whole_bytes = 0

    def __enter__(self) -> JsonLines:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered, so that a line that does not fit on the disk fails here and not when the file is closed.
        with _naming(self.path):
            self._file = self._part.open("wb", buffering=0)
        return self

    def write(self, row: Mapping[str, Any]) -> None:
        # ASCII, as file names may hold bytes that are no text, which JSON can only say escaped
        line = (json.dumps(row) + "\n").encode("ascii")
        file = self._opened()
        written = 0
        with _naming(self.path):
            while written < len(line):
                written += file.write(line[written:])
        self._whole_bytes += len(line)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file = self._opened()
        file.truncate(self._whole_bytes)
        file.close()
        self._part.replace(self.path)

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("JsonLines: write inside `with JsonLines(path) as lines`")
        return self._file


def new_run_folder(root: Path, verb: str, name: str) -> Path:
    """A folder ``root/verb/name`` that this call created; ``name-2``, ``name-3`` ... where one stands already."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip(".-")[:60] or "run"
    parent = root / verb
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = parent / (plain if number == 1 else f"{plain}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
