"""What every check of a data set gives back, and what one more format must bring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ligera.data.annotations import Problem

__all__ = ["Format", "Report", "bars", "is_sound", "problem_rows"]

BAR_WIDTH = 40


class Report(Protocol):
    """What stands at ``path``, told as ``format``: how many ``pictures``, and every problem."""

    @property
    def path(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def pictures(self) -> int: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...

    @property
    def ok(self) -> bool:
        """Whether the data can be trained on as it stands: no problem is more than suspect."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The report ready for JSON."""
        ...

    def lines(self) -> Iterator[str]:
        """What was counted, for a person to read; problems are shown apart."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of data set: its ``name`` for ``--format`` and what it ``expects`` to find, in a word or two.

    ``recognise`` tells from a few names or lines whether a path holds it, ``check`` reads it in full with so many
    threads. A ``vague`` one, whose signs many other sets show too, is taken only where nothing else fits.
    """

    name: str
    expects: str
    recognise: Callable[[Path], bool]
    check: Callable[[Path, int | None], Report]
    vague: bool = False


def is_sound(problems: Iterable[Problem]) -> bool:
    return all(problem.kind == "suspect" for problem in problems)


def problem_rows(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Problems ready for JSON."""
    return [{"file": str(p.file), "line": p.line or None, "kind": p.kind, "message": p.message} for p in problems]


def bars(rows: Sequence[tuple[str, int]]) -> Iterator[str]:
    """One line for each label and count: a bar as long as its share of the largest, never vanishing, and the count."""
    most = max((count for _, count in rows), default=0)
    width = max((len(label) for label, _ in rows), default=0)
    for label, count in rows:
        bar = "#" * max(round(BAR_WIDTH * count / max(most, 1)), count > 0)
        yield f"{label:<{width}} {bar:<{BAR_WIDTH}} {count:,}".rstrip()
