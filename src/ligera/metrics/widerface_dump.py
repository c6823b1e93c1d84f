"""Detections on disk as WIDER FACE's tools expect them: one text file for each picture.

``DUMP_DIR/EVENT/PICTURE.txt``: line 1 a name (not read; the file's own name counts), line 2 how many detections, then
one line ``x y w h score`` each, corner and sides in px of the original picture. In memory: event -> picture ->
``(N, 5)`` float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ligera.errors import DataError
from ligera.metrics.decimals import parse_rows
from ligera.records import Detections

__all__ = ["as_rows", "read_dump", "write_dump"]

_BATCH_BYTES = 1 << 19  # parsed together: enough to fill a vector operation, little enough for the processor's cache
_FIRST_ROW_LINE = 3


@dataclass(frozen=True, slots=True)
class _Page:
    """One file: how many rows it announces and its text after the two head lines, closed by a line break."""

    path: Path
    count: int
    body: bytes


def as_rows(found: Detections) -> np.ndarray:
    """Detections as ``(N, 5)`` float64 ``x y w h score``."""
    boxes = found.boxes.astype(np.float64)
    return np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], found.scores.astype(np.float64)])


def read_dump(dump_dir: str | Path) -> dict[str, dict[str, np.ndarray]]:
    """Every ``EVENT/PICTURE.txt`` under ``dump_dir``: event -> picture -> ``(N, 5)`` float64 ``x y w h score``.

    Raises ``DataError`` for a folder without such files and, by file and line, for a file that is not as announced.
    """
    detections: dict[str, dict[str, np.ndarray]] = {}
    for batch in _batches(map(_page, _files(Path(dump_dir)))):
        for page, rows in zip(batch, _rows(batch), strict=True):
            detections.setdefault(page.path.parent.name, {})[page.path.stem] = rows
    return detections


def write_dump(dump_dir: str | Path, detections: Mapping[str, Mapping[str, np.ndarray]]) -> int:
    """Write ``detections`` (event -> picture -> ``(N, 5)``) under ``dump_dir``; returns the number of files.

    Nine significant digits, so that float32 values survive the way back. Each file appears whole or not at all.
    Raises ``DataError`` for a name that is no plain file name, before anything is written.
    """
    folder = Path(dump_dir)
    for event, pictures in detections.items():
        for name in (event, *pictures):
            if name in ("", ".", "..") or set(name) & {"/", "\\", "\0", "\n"}:
                raise DataError(f"{name!r}: not the plain name of an event or picture, so no dump file can bear it")
    for event, pictures in detections.items():
        (folder / event).mkdir(parents=True, exist_ok=True)
        for name, rows in pictures.items():
            lines = [name, str(len(rows)), *(" ".join([f"{value:.9g}" for value in row]) for row in rows), ""]
            partial = folder / event / f".{name}.part"
            partial.write_text("\n".join(lines), encoding="utf-8")
            partial.replace(folder / event / f"{name}.txt")
    return sum(len(pictures) for pictures in detections.values())


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder; expected detections as EVENT/PICTURE.txt in it")
    files = [file for event in sorted(folder.iterdir()) if event.is_dir() for file in sorted(event.glob("*.txt"))]
    if not files:
        raise DataError(f"{folder}: holds no EVENT/PICTURE.txt with detections")
    return files


def _page(path: Path) -> _Page:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    _, _, rest = text.partition(b"\n")
    count, _, body = rest.partition(b"\n")
    count = count.strip()
    if not count.isdigit() or len(count) > 9:
        raise DataError(f"{path}:2: expected the number of detections, got {_shown(count)}")
    body = body.rstrip()
    return _Page(path, int(count), body + b"\n" if body else b"")


def _batches(pages: Iterable[_Page]) -> Iterator[list[_Page]]:
    batch: list[_Page] = []
    size = 0
    for page in pages:
        batch.append(page)
        size += len(page.body)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _rows(batch: list[_Page]) -> list[np.ndarray]:
    if all(page.body.count(b"\n") == page.count for page in batch):
        rows = parse_rows(b"".join(page.body for page in batch), 5)
        if rows is not None:
            return np.split(rows, np.cumsum([page.count for page in batch])[:-1])
    return [_rows_of(page) for page in batch]


def _rows_of(page: _Page) -> np.ndarray:
    """The same for one file in any notation of numbers; raises ``DataError`` naming the line that fits none."""
    lines = page.body.decode("utf-8", "replace").split("\n")
    try:
        rows = np.loadtxt(lines, ndmin=2, comments=None) if page.body else np.zeros((0, 5))
    except ValueError:
        rows = None
    if rows is not None and rows.shape == (page.count, 5) and np.isfinite(rows).all():
        return rows
    for number, line in enumerate(lines, start=_FIRST_ROW_LINE):
        if line.strip() and not _is_row(line):
            raise DataError(f"{page.path}:{number}: expected x y w h score, got {_shown(line.encode())}")
    count = sum(bool(line.strip()) for line in lines)
    raise DataError(f"{page.path}:2: announces {page.count} detections, but {count} follow")


def _is_row(line: str) -> bool:
    try:
        row = np.loadtxt([line], ndmin=2, comments=None)
    except ValueError:
        return False
    return row.shape == (1, 5) and bool(np.isfinite(row).all())


def _shown(text: bytes) -> str:
    shown = text.decode("utf-8", "replace").strip()
    return repr(shown if len(shown) <= 40 else shown[:37] + "...")
