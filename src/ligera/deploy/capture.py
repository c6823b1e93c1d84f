"""Opens a video file or a camera by OpenCV: the one place that knows its readers and their traps.

In: what a user calls a video or camera. Out: an opened ``cv2.VideoCapture``, which the caller releases, and the times
of its frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import cv2

from ligera.errors import DataError

__all__ = ["Capture", "FrameTimes", "frames_per_second", "is_camera", "open_camera", "open_video", "promised_seconds"]

DEFAULT_FPS = 25.0
# more than any camera's index has; a larger number would not fit into OpenCV's integers
MOST_DIGITS = 6
# A file counts as cut short where more than this much of what its header promises is missing.
MISSING_S, MISSING_SHARE = 0.5, 0.05
SMALLEST_STEP_S = 1e-4


class Capture(Protocol):
    """What ``cv2.VideoCapture`` does; tests have their own."""

    def read(self) -> tuple[bool, Any]: ...

    def grab(self) -> bool: ...

    def retrieve(self) -> tuple[bool, Any]: ...

    def get(self, prop: int, /) -> float: ...

    def release(self) -> None: ...


def is_camera(name: str) -> bool:
    """Whether ``name`` is the index of a camera, such as ``0``; a file of that name goes before it."""
    return name.isascii() and name.isdigit() and not Path(name).exists()


def open_video(path: str) -> cv2.VideoCapture:
    """The opened file. Raises ``DataError`` where no reader can."""
    capture = cv2.VideoCapture()
    for backend in cv2.videoio_registry.getStreamBackends():
        # the reader of numbered pictures takes digits in a name for a pattern
        if backend != cv2.CAP_IMAGES and capture.open(path, backend):
            return capture
    reason = "it is empty" if Path(path).stat().st_size == 0 else "damaged, cut short, or a codec is missing"
    raise DataError(f"{path}: cannot be opened as a video ({reason})")


def open_camera(index: str) -> cv2.VideoCapture:
    """The opened device. Raises ``DataError`` where it is not there or in use."""
    capture = cv2.VideoCapture(int(index)) if len(index) <= MOST_DIGITS else cv2.VideoCapture()
    if not capture.isOpened():
        raise DataError(f"{index}: cannot be opened as a camera (no such camera, or it is in use)")
    return capture


def frames_per_second(capture: cv2.VideoCapture) -> float:
    """What the source says of itself where that is plausible, else 25."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 1 <= fps <= 240 else DEFAULT_FPS


def promised_seconds(capture: cv2.VideoCapture) -> float:
    """How long a file says it is, 0 where it does not."""
    fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return count / fps if count > 0 and fps > 0 else 0.0


class FrameTimes:
    """The time of each frame in seconds, always rising: the file's own where it has any.

    ``promised_s`` is how long the file says it is, 0 where it does not.
    """

    def __init__(self, name: str, capture: Capture, fps: float, promised_s: float) -> None:
        self._name, self._capture, self._fps, self._promised_s = name, capture, fps, promised_s
        self._number = 0
        self.newest_s = -SMALLEST_STEP_S

    def next(self) -> float:
        """The time of the frame that was read last."""
        own_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        counted_s = self._number / self._fps
        self._number += 1
        plausible = own_s > self.newest_s and own_s < counted_s + 3600
        self.newest_s = own_s if plausible else max(counted_s, self.newest_s + SMALLEST_STEP_S)
        return self.newest_s

    def trouble(self) -> str | None:
        """What to say of a file that ended long before it should have; ``None`` of one that did not."""
        if self._number == 0:
            return f"{self._name}: holds no frame that can be decoded"
        there_s = self.newest_s + 1 / self._fps
        if self._promised_s - there_s <= max(MISSING_S, MISSING_SHARE * self._promised_s):
            return None
        return f"{self._name}: damaged or cut short, {there_s:.1f} s of {self._promised_s:.1f} s could be read"
