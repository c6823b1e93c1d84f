"""What ``detect`` looks at: pictures, folders, globs, video files, a camera, or one picture on standard input.

In: the words a user gives. Out: one :class:`Shot` after the other, its picture read, or the reason why not. A picture
that cannot be read never stops the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

import cv2

from ligera.data.pictures import decode_picture, find_pictures, read_picture
from ligera.deploy.capture import (
    FrameTimes,
    frames_per_second,
    is_camera,
    open_camera,
    open_video,
    promised_seconds,
)
from ligera.errors import DataError, LigeraError, PictureError, UsageError
from ligera.records import Picture

__all__ = ["VIDEO_SUFFIXES", "PlannedSource", "Shot", "plan", "shots"]

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"})
STDIN_LIMIT_BYTES = 256 * 2**20
READ_AHEAD = 2


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """One picture, video, camera or standard input, before it is opened.

    ``name`` is what it is called in results, ``target`` the relative path, without suffix, of what is drawn of it.
    ``error`` is set where there is nothing to open.
    """

    kind: str
    name: str
    target: PurePath
    error: LigeraError | None = None


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture to look at, or ``error``; of a video it is ``frame`` from 0 on, at ``fps``, which others have not."""

    source: PlannedSource
    picture: Picture | None = None
    error: LigeraError | None = None
    frame: int | None = None
    fps: float | None = None


def plan(sources: Iterable[str]) -> list[PlannedSource]:
    """Everything that ``sources`` stand for, pictures listed one by one.

    A source that is not there becomes an entry with an error as long as another one is; else its error is raised.
    """
    planned: list[PlannedSource] = []
    for source in sources:
        try:
            planned += _expand(source)
        except (DataError, UsageError) as error:
            planned.append(PlannedSource("picture", source, PurePath(Path(source).name or "source"), error))
    if planned and all(entry.error for entry in planned):
        raise next(entry.error for entry in planned if entry.error)
    return _apart(planned)


def _expand(source: str) -> Iterator[PlannedSource]:
    if source == "-":
        yield PlannedSource("stdin", "-", PurePath("stdin"))
    elif is_camera(source):
        yield PlannedSource("camera", source, PurePath(f"camera{source}"))
    elif Path(source).suffix.lower() in VIDEO_SUFFIXES and Path(source).is_file():
        yield PlannedSource("video", source, PurePath(Path(source).stem))
    else:
        folder = Path(source) if Path(source).is_dir() else None
        for path in find_pictures(source):
            inside = path.relative_to(folder) if folder else PurePath(path.name)
            yield PlannedSource("picture", str(path), inside.with_suffix(""))


def _apart(planned: list[PlannedSource]) -> list[PlannedSource]:
    """The same with a number behind each target that another one has, as when ``a/1.jpg`` and ``b/1.jpg`` are given."""
    numbers: dict[PurePath, int] = {}
    out = []
    for entry in planned:
        target = entry.target
        while target in numbers:
            numbers[entry.target] += 1
            target = entry.target.with_name(f"{entry.target.name}-{numbers[entry.target]}")
        numbers[target] = 1
        out.append(PlannedSource(entry.kind, entry.name, target, entry.error))
    return out


def shots(planned: Iterable[PlannedSource]) -> Iterator[Shot]:
    """Each planned source's pictures, in order; the next ones are decoded while the caller works on this one."""
    with ThreadPoolExecutor(1) as pool:
        entries = iter(planned)
        waiting = [(entry, pool.submit(_read, entry)) for entry in islice(entries, READ_AHEAD)]
        while waiting:
            entry, reading = waiting.pop(0)
            if entry.kind in ("video", "camera"):
                yield from _frames(entry)
            elif entry.kind == "stdin":
                # Not in the pool: a thread that waits for a pipe could not be interrupted.
                yield _shot(entry, _read_stdin)
            else:
                yield reading.result()
            waiting += [(later, pool.submit(_read, later)) for later in islice(entries, 1)]


def _read(entry: PlannedSource) -> Shot:
    if entry.error or entry.kind != "picture":
        return Shot(entry, error=entry.error)
    return _shot(entry, lambda: read_picture(entry.name))


def _shot(entry: PlannedSource, read: Callable[[], Picture]) -> Shot:
    try:
        return Shot(entry, read())
    except PictureError as error:
        return Shot(entry, error=error)


def _read_stdin() -> Picture:
    if sys.stdin.isatty():
        raise PictureError("-: expected the bytes of a picture on standard input, got a terminal")
    content = sys.stdin.buffer.read(STDIN_LIMIT_BYTES + 1)
    if len(content) > STDIN_LIMIT_BYTES:
        raise PictureError(f"-: more than {STDIN_LIMIT_BYTES // 2**20} MiB on standard input, too large for a picture")
    return decode_picture(content, "-")


def _frames(entry: PlannedSource) -> Iterator[Shot]:
    """Frames of a video or camera until it ends; ``close`` on the generator frees the device."""
    try:
        capture = open_camera(entry.name) if entry.kind == "camera" else open_video(entry.name)
    except DataError as error:
        yield Shot(entry, error=error)
        return
    try:
        fps, frame = frames_per_second(capture), 0
        times = FrameTimes(entry.name, capture, fps, promised_seconds(capture) if entry.kind == "video" else 0.0)
        while True:
            arrived, pixels = capture.read()
            if not arrived:
                break
            times.next()
            picture = Picture(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), entry.name)
            yield Shot(entry, picture, frame=frame, fps=fps)
            frame += 1
        if trouble := times.trouble():
            yield Shot(entry, error=DataError(trouble))
    finally:
        capture.release()
