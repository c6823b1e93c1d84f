"""Any picture file -> ``(H, W, 3)`` uint8 RGB, bounded in memory; and where pictures lie in a folder.

In: a path, or bytes, from anyone: JPEG (grey, CMYK), PNG (palette, 16-bit, transparent), GIF and WebP (the first frame
of an animation), BMP, TIFF (the first page) and PNM. EXIF rotation is honoured; transparency is laid over white, as a
viewer would show it; 16-bit keeps its high byte. Out: :class:`ligera.records.Picture`, or ``PictureError`` in one line.
The size is read from the header before anything is decoded, and a file cut short is an error, not half a picture.
"""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ligera.data.headers import FORMATS, Header, read_header
from ligera.errors import DataError, PictureError
from ligera.records import Picture

__all__ = ["MAX_PIXELS", "PICTURE_SUFFIXES", "decode_picture", "find_pictures", "read_picture", "walk_pictures"]

MAX_PIXELS = 100_000_000
PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}
)


def read_picture(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read one picture file as RGB.

    Raises ``PictureError`` when it is missing, a folder, empty, truncated, damaged, of another format or larger than
    ``max_pixels``.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise PictureError(f"{path}: is a folder, expected a picture file")
        if not path.is_file():
            kind = "is not a regular file" if path.exists() else "no such file"
            raise PictureError(f"{path}: {kind}")
        # An uncompressed picture takes at most 8 bytes for a pixel (16-bit RGBA); a longer file holds something else.
        size = path.stat().st_size
        if size > 8 * max_pixels + 2**20:
            raise PictureError(f"{path}: is a file of {size / 1e6:,.0f} MB, too large for a picture")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureError(f"{str(path)!r}: cannot be read ({reason})") from None
    return decode_picture(content, str(path), max_pixels=max_pixels)


def decode_picture(content: bytes, name: str = "<bytes>", *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the bytes of one picture file as RGB; ``name`` is what errors and the record call it.

    Raises ``PictureError`` as :func:`read_picture` does.
    """
    if not content:
        raise PictureError(f"{name}: is empty")
    try:
        header = read_header(content)
    except ValueError as error:
        raise PictureError(f"{name}: {error}") from None
    if header.decoded_pixels > max_pixels:
        raise PictureError(
            f"{name}: claims {header.width} x {header.height} px ({header.decoded_pixels / 1e6:,.0f} MP to decode), "
            f"above the limit of {max_pixels / 1e6:,.0f} MP; make it smaller or raise max_pixels"
        )
    pixels = _decode(content, header)
    if pixels is None:
        raise PictureError(
            f"{name}: is a {header.format} that cannot be decoded (damaged, cut short or of a rare kind)"
        )
    return Picture(pixels, name)


def find_pictures(source: str | Path) -> Iterator[Path]:
    """Picture files at ``source``: a file (whatever its name), a folder (searched to its depth) or a glob.

    Folders and globs give files with a picture's suffix, sorted, without hidden ones. Raises ``DataError`` on the first
    step when there are none.
    """
    text = str(source)
    if os.path.isfile(text):  # noqa: PTH113 - unlike Path.is_file, False for names no file system accepts
        yield Path(source)
        return
    if os.path.isdir(text):  # noqa: PTH112
        found: Iterator[Path] = walk_pictures(Path(source))
    elif any(letter in text for letter in "*?["):
        matches = (Path(match) for match in sorted(glob.glob(text, recursive=True)))  # noqa: PTH207 - absolute globs
        found = (path for path in matches if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    else:
        raise DataError(f"{text!r}: no such file or folder")
    empty = True
    for path in found:
        empty = False
        yield path
    if empty:
        raise DataError(f"{text!r}: no pictures there; expected {FORMATS} files")


def walk_pictures(folder: Path) -> Iterator[Path]:
    """Picture files in ``folder`` to its depth, each level sorted, files before folders; none is no error."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})")

    seen: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(root)
        # Links to folders are followed, as data sets are often made of them, but never round in a circle.
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            continue
        seen.add(real)
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:  # noqa: PTH122
                yield Path(root, name)


def _decode(content: bytes, header: Header) -> np.ndarray | None:
    """RGB pixels, or ``None`` when OpenCV gives up."""
    flags = cv2.IMREAD_UNCHANGED if header.alpha else cv2.IMREAD_COLOR
    try:
        with _quiet_opencv:
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
        if pixels is None or pixels.size == 0:
            return None
        if not header.alpha:
            return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        return _turn(_flatten(pixels, premultiplied=header.format == "TIFF"), header.orientation)
    except (cv2.error, MemoryError):
        return None


def _flatten(pixels: np.ndarray, *, premultiplied: bool) -> np.ndarray | None:
    """OpenCV's unchanged pixels, of any depth and 1 to 4 channels, as RGB over white; ``None`` for floats."""
    if pixels.dtype not in (np.uint8, np.uint16):
        return None
    premultiplied = premultiplied and pixels.dtype == np.uint8
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    flat = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    # Row by row in blocks: the 16-bit products of a whole large picture would double the memory.
    rows = max(1, 2**20 // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        block, alpha = flat[top : top + rows], pixels[top : top + rows, :, 3:].astype(np.uint16)
        if alpha.min() == 255:
            continue
        colour = block.astype(np.uint16)
        mixed = colour + (255 - alpha) if premultiplied else (colour * alpha + 255 * (255 - alpha) + 127) // 255
        block[:] = np.minimum(mixed, 255)
    return flat


def _turn(pixels: np.ndarray | None, orientation: int) -> np.ndarray | None:
    """Apply an EXIF orientation, which OpenCV leaves undone where it keeps transparency."""
    if pixels is None or orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


class _QuietOpenCV:
    """Keeps OpenCV's log off stderr while any thread decodes: what is wrong with a file is said in the error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._level_before = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                self._level_before = _set_log_level(0)
            self._depth += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                _set_log_level(self._level_before)


def _set_log_level(level: int) -> int:
    """Set OpenCV's log level (0 is silent) and return the one before."""
    # The functions moved from cv2 to cv2.utils.logging after OpenCV 4.10.
    return getattr(cv2.utils, "logging", cv2).setLogLevel(level)


_quiet_opencv = _QuietOpenCV()
