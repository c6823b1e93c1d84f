"""An MP4 that stands whole at its place or not at all.

In: frames ``(H, W, 3)`` uint8 RGB. Out: a file. It is written under a temporary name beside its own and takes its place
when its index is written and read back; until then, whatever stood there stays. Ctrl-C ends it whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import cv2
import numpy as np

from ligera.errors import DataError, UsageError
from ligera.locks import lock

__all__ = ["VideoFile", "check_place"]

SUFFIX = ".mp4"
CODEC = "mp4v"
# Enough to end the file when this much is left; looked at once in so many frames.
RESERVED_BYTES = 16 * 2**20
FRAMES_PER_LOOK = 30


def check_place(path: Path, source: str) -> None:
    """Raise ``UsageError`` where ``path`` is no place for a video, or the very ``source`` that is read."""
    if path.suffix.lower() != SUFFIX or path.is_dir():
        raise UsageError(f"--out {path}: expected a file ending in {SUFFIX}")
    same = path.exists() and Path(source).exists() and path.samefile(source)
    if same or path.resolve() == Path(source).resolve():
        raise UsageError(f"--out {path}: is the video to watch, which would be overwritten; choose another name")


class VideoFile:
    """Writes frames of one size to ``path`` at ``fps``, inside a ``with`` block. Frames of another size are resized.

    Raises ``DataError`` when the disk gets full, while what was written so far still becomes a whole file, and where
    that does not succeed.
    """

    def __init__(self, path: Path, fps: float, free_bytes: Callable[[Path], int] | None = None) -> None:
        self.path = path
        self.frames = 0
        self.full = False
        self._fps = fps
        self._part = path.with_name(f".{path.name}.part{SUFFIX}")
        self._free_bytes = free_bytes or (lambda folder: shutil.disk_usage(folder).free)
        self._writer: cv2.VideoWriter | None = None
        self._lock: BinaryIO | None = None
        self._size = (0, 0)

    def __enter__(self) -> VideoFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = self._part.open("ab")
        except OSError as error:
            error.filename = str(self.path)
            raise
        if not lock(self._lock):
            self._lock.close()
            raise DataError(f"{self.path}: is being written by another run; wait for it, or choose another name")
        return self

    def write(self, pixels: np.ndarray, until_s: float | None = None) -> None:
        """Add a frame; with ``until_s`` as often as the video needs to be that long, or not at all."""
        times = 1 if until_s is None else int(until_s * self._fps) + 1 - self.frames
        if times <= 0:
            return
        writer = self._writer or self._open(pixels)
        if (pixels.shape[1], pixels.shape[0]) != self._size:
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        for _ in range(times):
            if self.frames % FRAMES_PER_LOOK == 0 and self._free_bytes(self.path.parent) < RESERVED_BYTES:
                self.full = True
                raise DataError(
                    f"{self.path}: no space left on the disk; "
                    + (f"the video ends after {self.frames:,} frames" if self.frames else "nothing was written")
                )
            writer.write(bgr)
            self.frames += 1

    def _open(self, pixels: np.ndarray) -> cv2.VideoWriter:
        # sides must be even for this codec
        self._size = (max(2, pixels.shape[1] // 2 * 2), max(2, pixels.shape[0] // 2 * 2))
        self._writer = cv2.VideoWriter(str(self._part), cv2.VideoWriter.fourcc(*CODEC), self._fps, self._size)
        if not self._writer.isOpened():
            raise DataError(f"{self.path}: no video can be written there with this OpenCV; use --json instead")
        return self._writer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # a reader of our output that has enough ends a run just as Ctrl-C does
        wanted = error is None or isinstance(error, KeyboardInterrupt | BrokenPipeError) or self.full
        if self._writer is not None:
            self._writer.release()
        if self._lock is not None:
            # an open file can be neither moved nor removed on Windows
            self._lock.close()
        whole = False
        try:
            whole = wanted and self.frames > 0 and _frame_count(self._part) == self.frames
            if whole:
                _to_disk(self._part)
                self._part.replace(self.path)
        finally:
            if not whole:
                self._part.unlink(missing_ok=True)
        if self.frames and wanted and not whole:
            raise DataError(f"{self.path}: the video could not be written whole, and was not; is the disk full?")


def _frame_count(video: Path) -> int:
    """How many frames a finished video says it has, 0 for one that cannot be opened: OpenCV keeps quiet of a full
    disk."""
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    try:
        return round(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() and capture.grab() else 0
    finally:
        capture.release()


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
