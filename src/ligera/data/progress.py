"""What a long run has done so far: a file of JSON lines that survives being killed at any moment.

In: a header that says what is being done, then one row for each thing done. Out: the rows again, for the run that goes
on. Rows are added at the end and written at once; half a line, left by a kill or a full disk, is cut off on opening.
Only a row's place is kept in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ligera.errors import DataError, UsageError

__all__ = ["Progress", "read_header"]


class Progress:
    """Rows by their ``key`` field in the file ``path``; use it in a ``with`` block.

    Raises ``UsageError`` where a file stands there that was begun with another ``header``, ``DataError`` where it is
    none of ours.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], key: str) -> None:
        self.path = path
        self._header = json.loads(json.dumps(header))
        self._key = key
        self._places: dict[str, int] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Progress:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b", buffering=0)
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def _read(self) -> None:
        file = self._opened()
        end = 0
        file.seek(0)
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines):
                if not line.endswith(b"\n"):
                    break
                row = _parsed(line, self.path, number + 1)
                if number == 0:
                    self._check(row)
                elif self._key not in row:
                    raise DataError(f"{self.path}:{number + 1}: expected a row with {self._key!r}; {_ADVICE}")
                else:
                    self._places[row[self._key]] = end
                end += len(line)
        file.truncate(end)
        if end == 0:
            self._append(self._header)

    def _check(self, header: dict[str, Any]) -> None:
        for name in {**self._header, **header}:
            own, theirs = self._header.get(name), header.get(name)
            if own != theirs:
                raise UsageError(
                    f"{self.path.parent}: was begun with {name} {theirs}, not {own}; choose another folder or remove it"
                )

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> dict[str, Any] | None:
        """The latest row of ``key``."""
        place = self._places.get(key)
        if place is None:
            return None
        with self.path.open("rb") as file:
            file.seek(place)
            return json.loads(file.readline())

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row, on the file when this returns; an earlier one of the same key no longer counts."""
        self._places[row[self._key]] = self._append(row)

    def _append(self, row: Mapping[str, Any]) -> int:
        """Write one line and return where it begins; a line that does not fit on the disk is taken back."""
        file = self._opened()
        # ASCII, as file names may hold bytes that are no text, which JSON can only say escaped
        line = (json.dumps(row) + "\n").encode("ascii")
        place = file.seek(0, 2)
        try:
            written = 0
            while written < len(line):
                written += file.write(line[written:])
        except OSError as error:
            file.truncate(place)
            error.filename = str(self.path)
            raise
        return place

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened().close()

    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("Progress: use it inside `with Progress(...) as progress`")
        return self._file


_ADVICE = "choose another folder, or remove the file"


def read_header(path: Path) -> dict[str, Any] | None:
    """What the run that wrote ``path`` was asked to do; ``None`` where that cannot be told."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(2**20))
    except (OSError, ValueError):
        return None
    return header if isinstance(header, dict) else None


def _parsed(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise DataError(f"{path}:{number}: is no row of a progress record; {_ADVICE}")
    return row
