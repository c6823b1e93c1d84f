"""What ``classify`` leaves behind: a row per picture, contact sheets, annotated videos.

In: shots and what class each is of. Out: JSON-ready rows and, where a folder is given, files in it, each whole or not
there; ``classifications.jsonl`` keeps every row written before an interrupt.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ligera.deploy.classifying.classifier import Classification
from ligera.deploy.contact_sheet import ContactSheets, captioned, sheet_names
from ligera.deploy.results import VideoFiles, opened_row
from ligera.deploy.sources import PlannedSource, Shot
from ligera.files import JsonLines

__all__ = ["ClassifiedFolder", "ClassifiedShot", "result_names"]


def result_names(planned: Sequence[PlannedSource]) -> list[str]:
    """Every picture and video that :class:`ClassifiedFolder` may write for these sources, relative to its folder."""
    videos = [f"{entry.target}.mp4" for entry in planned if entry.kind in ("video", "camera")]
    return [*videos, *sheet_names(sum(entry.kind in ("picture", "stdin") for entry in planned))]


@dataclass(frozen=True, slots=True)
class ClassifiedShot:
    """A shot and what class it is of, told in ``duration_ms``; ``found`` is ``None`` where the shot has an error."""

    shot: Shot
    found: Classification | None
    duration_ms: float = 0.0
    top: int | None = None

    def row(self) -> dict[str, Any]:
        """The contract's JSON: ``path, label, score, scores`` (of the ``top`` best labels), or ``path, error``."""
        row = opened_row(self.shot)
        return row if self.found is None else row | self.found.row(self.top)


class ClassifiedFolder:
    """Writes results into ``folder``; use it in a ``with`` block."""

    def __init__(self, folder: Path) -> None:
        self._lines = JsonLines(folder / "classifications.jsonl")
        self._videos, self._sheets = VideoFiles(folder), ContactSheets(folder)
        self._stack = ExitStack()

    def __enter__(self) -> ClassifiedFolder:
        for part in (self._lines, self._videos, self._sheets):
            self._stack.enter_context(part)
        return self

    def add(self, result: ClassifiedShot) -> None:
        self._lines.write(result.row())
        shot = result.shot
        if result.found is None or shot.picture is None:
            return
        # the score first, as a long label is cut
        text = f"{result.found.score:.2f} {result.found.label}"
        if shot.fps is not None:
            self._videos.write(shot.source.target, shot.fps, captioned(shot.picture.pixels, text))
        else:
            self._sheets.add(shot.picture.pixels, text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
