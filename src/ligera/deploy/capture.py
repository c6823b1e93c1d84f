"""Opens a video file or a camera by OpenCV: the one place that knows its readers and their traps.

In: what a user calls a video or camera. Out: an opened ``cv2.VideoCapture``, which the caller releases.
"""

from __future__ import annotations

from pathlib import Path

import cv2

from ligera.errors import DataError

__all__ = ["frames_per_second", "is_camera", "open_camera", "open_video", "promised_seconds", "shortfall"]

DEFAULT_FPS = 25.0
# more than any camera's index has; a larger number would not fit into OpenCV's integers
MOST_DIGITS = 6
# A file counts as cut short where more than this much of what its header promises is missing.
MISSING_S, MISSING_SHARE = 0.5, 0.05


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


def shortfall(name: str, there_s: float, promised_s: float) -> str | None:
    """What to say of a file that ended at ``there_s``, long before it should have; ``None`` of one that did not."""
    if promised_s - there_s <= max(MISSING_S, MISSING_SHARE * promised_s):
        return None
    return f"{name}: damaged or cut short, {there_s:.1f} s of {promised_s:.1f} s could be read"
