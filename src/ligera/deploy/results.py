"""What ``detect`` leaves behind: a row per picture, annotated pictures, crops, PAGE XML. Parts serve ``classify`` too.

In: shots and what was found in them. Out: JSON-ready rows and, where a folder is given, files in it, each whole or not
there; ``detections.jsonl`` keeps every row written before an interrupt.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from ligera.deploy.drawing import crop, draw
from ligera.deploy.layout.page_files import write_page
from ligera.deploy.sources import Shot
from ligera.deploy.video import VideoFile
from ligera.errors import DataError
from ligera.files import JsonLines, write_bytes
from ligera.records import Detections

__all__ = ["Result", "ResultFolder", "VideoFiles", "opened_row", "write_picture"]

JPEG_QUALITY = 92
JPEG_MAX_SIDE_PX = 65_500


@dataclass(frozen=True, slots=True)
class Result:
    """A shot and what was found in it in ``duration_ms``; ``found`` is ``None`` where the shot has an error."""

    shot: Shot
    found: Detections | None
    duration_ms: float = 0.0

    def row(self) -> dict[str, Any]:
        """The contract's JSON: ``path, width, height, detections``, or ``path, error``; frames add their number."""
        row, picture = opened_row(self.shot), self.shot.picture
        if self.found is None or picture is None:
            return row
        return row | {"width": picture.width, "height": picture.height, "detections": self.found.rows()}


def opened_row(shot: Shot) -> dict[str, Any]:
    """What every row begins with: ``path``, of a frame its number, and ``error`` where there is nothing to look at."""
    row: dict[str, Any] = {"path": shot.source.name}
    if shot.frame is not None:
        row["frame"] = shot.frame
    return row if shot.picture is not None else row | {"error": str(shot.error)}


class ResultFolder:
    """Writes results into ``folder``; use it in a ``with`` block.

    ``page_tags`` maps selectors to classes and has each picture's regions written as PAGE XML too.
    """

    def __init__(self, folder: Path, *, crops: bool = False, page_tags: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._crops = crops
        self._page_tags = page_tags
        self._lines = JsonLines(folder / "detections.jsonl")
        self._videos = VideoFiles(folder)
        self._stack = ExitStack()

    def __enter__(self) -> ResultFolder:
        self._stack.enter_context(self._lines)
        self._stack.enter_context(self._videos)
        return self

    def add(self, result: Result) -> None:
        self._lines.write(result.row())
        shot = result.shot
        if result.found is None or shot.picture is None:
            return
        pixels = shot.picture.pixels
        if shot.fps is not None:
            self._videos.write(shot.source.target, shot.fps, draw(pixels, result.found, legend=False))
        else:
            write_picture(self.folder / shot.source.target, draw(pixels, result.found))
        if self._crops:
            stem = shot.source.target if shot.frame is None else PurePath(f"{shot.source.target}-{shot.frame:06d}")
            for number, box in enumerate(result.found.boxes, start=1):
                write_picture(self.folder / "crops" / f"{stem}-{number}", crop(pixels, box))
        if self._page_tags is not None:
            write_page(self.folder / f"{shot.source.target}.xml", result.found, shot.picture, self._page_tags)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


class VideoFiles:
    """The videos being written into ``folder``, each from its first frame on until the ``with`` block is left.

    Whatever ends the block, an error included, the frames written so far are kept, as are the rows beside them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._videos: dict[PurePath, VideoFile] = {}
        self._stack = ExitStack()

    def __enter__(self) -> VideoFiles:
        return self

    def write(self, target: PurePath, fps: float, pixels: np.ndarray) -> None:
        """Put one frame, ``(H, W, 3)`` uint8 RGB, at the end of the video ``target``."""
        if target not in self._videos:
            self._videos[target] = self._stack.enter_context(VideoFile(self._folder / f"{target}.mp4", fps))
        self._videos[target].write(pixels)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # told of no error, each ends as a whole file
        self._stack.__exit__(None, None, None)


def write_picture(path: PurePath, pixels: np.ndarray) -> None:
    """``pixels`` (H, W, 3) RGB as JPEG, or PNG where a side is longer than JPEG allows; ``path`` is without suffix."""
    suffix = ".jpg" if max(pixels.shape[:2]) <= JPEG_MAX_SIDE_PX else ".png"
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    encoded, content = cv2.imencode(suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise DataError(f"{path}{suffix}: a picture of {pixels.shape[1]} x {pixels.shape[0]} px cannot be written")
    write_bytes(Path(f"{path}{suffix}"), content.tobytes())
