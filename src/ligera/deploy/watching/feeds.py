"""Frames of a video file or camera, all of them or only the newest.

In: what a user calls a video or camera. Out: :class:`Frame` objects, pixels ``(H, W, 3)`` uint8 RGB.
:class:`EveryFrame` reads a file from end to end; :class:`NewestFrames` has a thread that reads on and keeps only the
newest frame, so that whoever takes them slowly gets fewer and not later ones: of a camera as they come, of a file by
its own clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ligera.data.pictures import PICTURE_SUFFIXES
from ligera.deploy.capture import (
    Capture,
    FrameTimes,
    frames_per_second,
    is_camera,
    open_camera,
    open_video,
    promised_seconds,
)
from ligera.errors import DataError, UsageError

__all__ = ["EveryFrame", "Feed", "Frame", "NewestFrames", "Source", "open_source"]

PATIENCE_S = 2.0
# Frames of a file later than this are skipped, but not so many at once that nothing is seen of a file too large to
# keep up with.
LATE_FRAMES, MOST_SKIPPED = 2, 10
# A wait without an end could not be interrupted on every system.
WAKE_UP_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Frame ``number`` (from 0, dropped ones counted) at ``time_s``; ``dropped`` were left out since the one before.

    ``read_ms`` is what decoding it took, ``arrived_s`` when it was there, on the clock of ``time.perf_counter``.
    """

    number: int
    time_s: float
    pixels: np.ndarray
    read_ms: float
    arrived_s: float
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """An opened video or camera; ``promised_s`` is how long a file says it is, 0 where it does not."""

    name: str
    kind: str
    capture: Capture
    fps: float
    promised_s: float = 0.0

    def times(self) -> FrameTimes:
        """What tells the time of each frame that is read from now on."""
        return FrameTimes(self.name, self.capture, self.fps, self.promised_s)


class Feed(Protocol):
    """Gives frames until the video ends or it is closed; ``trouble`` then says what was wrong with the source."""

    trouble: str | None

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


def open_source(name: str) -> Source:
    """The camera whose index, or the video whose path ``name`` is.

    Raises ``UsageError`` for what is neither, ``DataError`` for what is not there or cannot be opened.
    """
    path = Path(name)
    if is_camera(name):
        return _open_camera(name)
    if path.is_dir():
        raise UsageError(f"{name}: is a folder; expected a video file or a camera index such as 0")
    if not path.exists():
        raise DataError(f"{name}: no such video file; a camera is given by its index, such as 0")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        raise UsageError(f"{name}: is a picture; `ligera detect` looks at pictures, here a video or camera is needed")
    capture = open_video(name)
    return Source(name, "video", capture, frames_per_second(capture), promised_seconds(capture))


def _open_camera(name: str) -> Source:
    capture = open_camera(name)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return Source(name, "camera", capture, frames_per_second(capture))


class EveryFrame:
    """All frames of a file, one after the other, as fast as they are taken."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.trouble: str | None = None

    def __iter__(self) -> Iterator[Frame]:
        times = self._source.times()
        number = 0
        while True:
            started = time.perf_counter()
            arrived, pixels = self._source.capture.read()
            if not arrived:
                break
            rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            now = time.perf_counter()
            yield Frame(number, times.next(), rgb, (now - started) * 1e3, now)
            number += 1
        self.trouble = times.trouble()

    def close(self) -> None:
        self._source.capture.release()


class NewestFrames:
    """The newest frame each time that one is taken; a thread reads on meanwhile. Iterate once.

    A camera gives the pace itself; a file's frames are each held back until their time by ``clock`` (seconds), and
    those that are late already are skipped.
    """

    def __init__(
        self,
        source: Source,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self.trouble: str | None = None
        self._source = source
        self._clock, self._wait = clock, wait
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._newest: Frame | None = None
        self._dropped = self._told = 0
        self._ended = False
        self._error: BaseException | None = None
        # a camera that hangs must not keep the whole program from ending
        self._thread = threading.Thread(target=self._read_on, name="frames", daemon=True)

    def __iter__(self) -> Iterator[Frame]:
        self._thread.start()
        while (frame := self._take()) is not None:
            started = time.perf_counter()
            pixels = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2RGB)
            read_ms = frame.read_ms + (time.perf_counter() - started) * 1e3
            yield replace(frame, pixels=pixels, read_ms=read_ms)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop reading; waits a moment for the device, which the thread frees."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)
        elif self._thread.ident is None:
            self._source.capture.release()

    def _take(self) -> Frame | None:
        with self._changed:
            while self._newest is None and not self._ended:
                self._changed.wait(WAKE_UP_S)
            frame, self._newest = self._newest, None
            if frame is None:
                return None
            dropped, self._told = frame.dropped - self._told, frame.dropped
            return replace(frame, dropped=dropped)

    def _read_on(self) -> None:
        try:
            self.trouble = self._read_file() if self._source.kind == "video" else self._read_camera()
        except Exception as error:
            self._error = error
        finally:
            self._source.capture.release()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _read_camera(self) -> str | None:
        number, began_s = 0, 0.0
        while not self._stop.is_set():
            arrived = self._source.capture.grab()
            now = self._clock()
            # grabbing is mostly waiting for the camera, which is no work of ours
            arrived, pixels = self._source.capture.retrieve() if arrived else (False, None)
            if not arrived:
                after = f"after {number:,} frames" if number else "before its first frame"
                return f"{self._source.name}: the camera stopped {after}; is it still plugged in?"
            began_s = began_s if number else now
            self._put(Frame(number, now - began_s, pixels, (self._clock() - now) * 1e3, now))
            number += 1
        return None

    def _read_file(self) -> str | None:
        times, capture = self._source.times(), self._source.capture
        number, skipped, began_s = 0, 0, self._clock()
        while not self._stop.is_set():
            started = self._clock()
            late = started - began_s > times.newest_s + LATE_FRAMES / self._source.fps
            if number and late and skipped < MOST_SKIPPED:
                # passed over without making a picture of it, as its time is over
                if not capture.grab():
                    break
                times.next()
                number, skipped = number + 1, skipped + 1
                self._dropped += 1
                continue
            arrived, pixels = capture.read()
            if not arrived:
                break
            now = self._clock()
            due_s = began_s + times.next()
            if now < due_s:
                self._wait(self._stop, due_s - now)
            self._put(Frame(number, times.newest_s, pixels, (now - started) * 1e3, max(now, due_s)))
            number, skipped = number + 1, 0
        return None if self._stop.is_set() else times.trouble()

    def _put(self, frame: Frame) -> None:
        """Make this the newest frame; it says how many were dropped from the beginning until it."""
        with self._changed:
            self._dropped += self._newest is not None
            self._newest = replace(frame, dropped=self._dropped)
            self._changed.notify_all()
