"""CIFAR-10 in the form it is published for Python: ``cifar-10-batches-py``.

In: a folder of ``data_batch_1`` to ``data_batch_5``, ``test_batch`` and ``batches.meta``, each a pickled dictionary.
A batch holds ``data`` ``(n, 3072)`` uint8, a row being 1024 red, 1024 green and 1024 blue values of 32 rows of 32 px,
and ``labels``, n whole numbers; ``batches.meta`` holds ``label_names``. Keys are bytes where Python 2 wrote them, as in
the published files, or text. Out: :class:`LabelledPictures`. Nothing in the pickles is run; they are read as plain data
by :mod:`ligera.data.plain_pickle`. Source: Krizhevsky 2009 and https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.annotations import is_file, quoted
from ligera.data.plain_pickle import NotPlainDataError, read_plain_pickle
from ligera.errors import DataError, UsageError, nearest
from ligera.records import LabelledPictures

__all__ = ["FOLDER", "NAMES_FILE", "SIDE_PX", "SPLITS", "find_batches", "read_batch", "read_cifar10", "read_names"]

FOLDER = "cifar-10-batches-py"
NAMES_FILE = "batches.meta"
SPLITS: dict[str, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}
SIDE_PX = 32
VALUES = 3 * SIDE_PX * SIDE_PX
# A published batch takes 31 MB.
MOST_BYTES = 100_000_000


def read_cifar10(folder: str | Path, split: str = "train") -> LabelledPictures:
    """The pictures of ``split`` ("train" or "test"), ``(N, 32, 32, 3)``, in the order of their files.

    ``folder`` holds the batches, or ``cifar-10-batches-py`` which does. Raises ``UsageError`` for another split,
    ``DataError`` naming the file where one is missing, damaged, not plain data, or of other shapes or labels.
    """
    if split not in SPLITS:
        raise UsageError(f"split: expected train or test, got {quoted(str(split))}{nearest(str(split), SPLITS)}")
    place = find_batches(Path(folder))
    missing = [name for name in (*SPLITS[split], NAMES_FILE) if not is_file(place / name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise DataError(f"{place}: {', '.join(missing)} {verb} missing; unpack cifar-10-python.tar.gz again")
    names = read_names(place / NAMES_FILE)
    batches = [read_batch(place / name, len(names)) for name in SPLITS[split]]
    pictures = np.concatenate([pixels for pixels, _ in batches])
    return LabelledPictures(pictures, np.concatenate([labels for _, labels in batches]), names)


def find_batches(folder: Path) -> Path:
    """The folder with the batches: ``folder`` or the ``cifar-10-batches-py`` in it; ``DataError`` where neither is."""
    files = (NAMES_FILE, *SPLITS["train"], *SPLITS["test"])
    for place in (folder, folder / FOLDER):
        if any(is_file(place / name) for name in files):
            return place
    if is_file(folder):
        raise DataError(f"{folder}: is a file; unpack cifar-10-python.tar.gz and give the folder {FOLDER}")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such file or folder")
    raise DataError(f"{folder}: holds no CIFAR-10 batches; expected data_batch_1 or the folder {FOLDER}")


def read_names(file: Path) -> tuple[str, ...]:
    """The names of the classes, in the order of their labels."""
    listed = _read_dictionary(file).get("label_names")
    if not isinstance(listed, list):
        raise DataError(f"{file}: expected a list label_names, got {_kind(listed)}")
    names = tuple(_text(name) for name in listed)
    if len(names) < 2 or not all(names) or len(set(names)) < len(names):
        raise DataError(f"{file}: expected two or more different label_names, got {quoted(', '.join(map(str, names)))}")
    return tuple(str(name) for name in names)


def read_batch(file: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures ``(n, 32, 32, 3)`` uint8 RGB and labels ``(n,)`` int64 of one batch, labels under ``classes``."""
    batch = _read_dictionary(file)
    data, labels = batch.get("data"), batch.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != VALUES:
        raise DataError(f"{file}: expected data of uint8 (n, {VALUES}), got {_kind(data)}")
    if not len(data):
        raise DataError(f"{file}: holds no pictures")
    labels = _labels(file, labels, classes)
    if len(labels) != len(data):
        raise DataError(f"{file}: holds {len(data):,} pictures but {len(labels):,} labels")
    pictures = data.reshape(-1, 3, SIDE_PX, SIDE_PX).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pictures), labels


def _labels(file: Path, labels: Any, classes: int) -> np.ndarray:
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu":
        labels = labels.tolist()
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"{file}: expected labels as a list of whole numbers, got {_kind(labels)}")
    wrong = next(((row, label) for row, label in enumerate(labels) if not 0 <= label < classes), None)
    if wrong:
        row, label = wrong
        # Python refuses to write numbers of thousands of digits
        shown = str(label) if abs(label) < 2**63 else "a number of more than 64 bits"
        raise DataError(f"{file}: picture {row:,} (from 0) has the label {shown}, expected 0 to {classes - 1}")
    return np.array(labels, np.int64)


def _read_dictionary(file: Path) -> dict[str, Any]:
    """The pickled dictionary in ``file``, its keys as text."""
    try:
        if not is_file(file):
            raise DataError(f"{file}: is missing; unpack cifar-10-python.tar.gz again")
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise DataError(f"{file}: is a file of {size / 1e6:,.0f} MB, too large for a CIFAR-10 batch")
        value = read_plain_pickle(file.read_bytes())
    except NotPlainDataError as error:
        raise DataError(f"{file}: {error}") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from None
    if not isinstance(value, dict):
        raise DataError(f"{file}: expected a dictionary, got {_kind(value)}")
    return {name: item for key, item in value.items() if (name := _text(key))}


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return value if isinstance(value, str) else None


def _kind(value: Any) -> str:
    """A value for a message: what it is, not what it holds."""
    if value is None:
        return "none"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        kinds = sorted({type(item).__name__ for item in value})
        return f"a {type(value).__name__} of {', '.join(kinds[:3]) or 'nothing'}"
    return f"a {type(value).__name__}"
