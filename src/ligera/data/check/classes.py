"""What a check of pictures with one label each reports, whatever files they came from.

In: how many pictures each class has in each split, their sizes in px, and problems. Out: :class:`ClassReport`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.data.annotations import Problem
from ligera.data.check.report import bars, is_sound, problem_rows

__all__ = ["SIDE_EDGES_PX", "ClassReport", "Labelled", "SplitCount", "class_report", "twice_labelled"]

SIDE_EDGES_PX = (32, 64, 128, 256, 512, 1024)
MOST_CLASSES_SHOWN = 50

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SplitCount:
    """How many pictures each class has in one split, in the order of the labels."""

    split: str
    classes: tuple[tuple[str, int], ...]

    @property
    def pictures(self) -> int:
        return sum(count for _, count in self.classes)


@dataclass(frozen=True, slots=True)
class ClassReport:
    """What stands at ``path``.

    ``pictures`` counts all splits, those ``broken`` included; ``missing`` counts files. ``sizes`` is ``(width, height,
    pictures)`` in px for each size there is, most frequent first.
    """

    path: str
    format: str
    pictures: int
    splits: tuple[SplitCount, ...]
    sizes: tuple[tuple[int, int, int], ...]
    missing: int
    broken: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the data can be trained on as it stands: no problem is more than suspect."""
        return is_sound(self.problems)

    def as_dict(self) -> dict[str, Any]:
        """The report ready for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["splits"] = [
            {"split": part.split, "pictures": part.pictures, "classes": dict(part.classes)} for part in self.splits
        ]
        plain["sizes"] = [{"width": width, "height": height, "pictures": n} for width, height, n in self.sizes]
        plain["problems"] = problem_rows(self.problems)
        return plain

    def lines(self) -> Iterator[str]:
        """Pictures of each class as bars, then their sizes, for a person to read."""
        classes = max((len(part.classes) for part in self.splits), default=0)
        yield f"{self.pictures:,} pictures in {classes:,} classes"
        for part in self.splits:
            yield f"{part.split}: {part.pictures:,} pictures"
            yield from ("  " + line for line in bars(part.classes[:MOST_CLASSES_SHOWN]))
            if len(part.classes) > MOST_CLASSES_SHOWN:
                yield f"  ... and {len(part.classes) - MOST_CLASSES_SHOWN:,} more classes; --json lists them all"
        yield from self._size_lines()

    def _size_lines(self) -> Iterator[str]:
        if len(self.sizes) == 1:
            yield f"all of {self.sizes[0][0]} x {self.sizes[0][1]} px"
            return
        counts = np.zeros(len(SIDE_EDGES_PX) + 1, np.int64)
        for width, height, pictures in self.sizes:
            counts[np.digitize(min(width, height), SIDE_EDGES_PX)] += pictures
        if not counts.any():
            return
        yield "pictures by shorter side (px)"
        ends = zip((0, *SIDE_EDGES_PX), (*SIDE_EDGES_PX, "up"), counts, strict=True)
        yield from bars([(f"{low:>5} - {high:<4}", int(count)) for low, high, count in ends])


def class_report(
    path: Path,
    format: str,
    splits: Sequence[SplitCount],
    sizes: Iterable[Size],
    problems: Sequence[Problem],
) -> ClassReport:
    """The report of ``splits`` whose readable pictures have ``sizes`` (width, height) px."""
    counted: dict[Size, int] = {}
    for size in sizes:
        counted[size] = counted.get(size, 0) + 1
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return ClassReport(
        path=str(path),
        format=format,
        pictures=sum(part.pictures for part in splits),
        splits=tuple(splits),
        sizes=tuple((width, height, count) for (width, height), count in ordered),
        missing=sum(problem.kind == "missing" for problem in problems),
        broken=sum(problem.kind == "broken" for problem in problems),
        problems=tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture for :func:`twice_labelled`: its ``file``, its ``row`` where that holds several, and its place."""

    content: Hashable
    file: Path
    split: str
    label: str
    row: int | None = None


def twice_labelled(pictures: Iterable[Labelled]) -> Iterator[Problem]:
    """A problem for each picture whose ``content`` came before under another label or in another split.

    Whatever a network says of one, it is wrong about the other; and a picture that was trained on proves nothing when
    it is asked about again. Copies within one class and split are only seen twice as often, and not reported.
    """
    first: dict[Hashable, Labelled] = {}
    for picture in pictures:
        before = first.setdefault(picture.content, picture)
        differs = []
        if picture.label != before.label:
            differs.append(f"of class {before.label!r}, this of {picture.label!r}")
        if picture.split != before.split:
            differs.append(f"of {before.split}, this of {picture.split}")
        if differs:
            subject = "" if picture.row is None else f"picture {picture.row:,} (from 0) "
            other = str(before.file) if before.row is None else f"picture {before.row:,} of {before.file.name}"
            message = f"{subject}is the same picture as {other}; that is {' and '.join(differs)}"
            yield Problem(picture.file, 0, message, "suspect")
