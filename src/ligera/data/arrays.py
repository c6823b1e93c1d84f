"""Named arrays in one ``.npz`` file, as ``numpy.savez`` writes it, but the same bytes for the same arrays.

In: arrays by name. Out: a file that is there whole or not at all, and the arrays again. Entries are stored as they are,
without compression, whose bytes would hang on the version of the library that does it.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from ligera.errors import DataError

__all__ = ["read_arrays", "read_shapes", "save_arrays"]

DATE = (1980, 1, 1, 0, 0, 0)
# What a file that is no archive, cut short or altered makes numpy and zipfile raise.
DAMAGED = (
    *(ValueError, KeyError, TypeError, EOFError, SyntaxError, RuntimeError, NotImplementedError),
    zipfile.BadZipFile,
)


def save_arrays(file: Path | BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``arrays`` in their order. To write a file whole or not at all, give this to ``files.write_whole``."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", DATE)
            entry.create_system = 3  # Unix on every system
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays called ``names``; ``DataError`` where one is missing or the file is damaged. Reads no pickles."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _read(archive, name) for name in names}
    except DAMAGED as error:
        raise _damaged(path, error) from None


def read_shapes(path: Path, names: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays called ``names``, without reading them; raises as ``read_arrays`` does."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _shape(archive, name) for name in names}
    except DAMAGED as error:
        raise _damaged(path, error) from None


def _shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(f"{name}.npy") as part:
        return _header(part, archive.getinfo(f"{name}.npy"), name)[0]


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as part:
        shape, columns_first, dtype = _header(part, archive.getinfo(f"{name}.npy"), name)
        # Read to its end, where the checksum is looked at.
        values = np.frombuffer(bytearray(part.read()), dtype)
    return values.reshape(shape[::-1]).T if columns_first else values.reshape(shape)


def _header(part: IO[bytes], entry: zipfile.ZipInfo, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type, after a look whether the entry is as long: a damaged one could ask for any memory."""
    version = np.lib.format.read_magic(part)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, columns_first, dtype = reader(part)
    if dtype.hasobject:
        raise ValueError(f"{name}: holds Python objects")
    if math.prod(shape) * dtype.itemsize != entry.file_size - part.tell():
        raise ValueError(f"{name}: not as long as its shape says")
    return tuple(shape), columns_first, dtype


def _damaged(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return DataError(f"{path}: is damaged ({reason}); remove it and make it again")
