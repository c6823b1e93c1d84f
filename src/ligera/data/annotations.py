"""What the readers of annotation text share: lines, numbers, boxes, and problems named by file and line.

In: a text file from anyone, possibly damaged. Out: its lines, the numbers in them, and one :class:`Problem` for each
line that does not say what its format promises. Nothing here raises for the content of a line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ligera.errors import DataError

__all__ = [
    "Problem",
    "ProblemKind",
    "box_problem",
    "is_file",
    "name_problem",
    "numbers",
    "quoted",
    "raise_worst",
    "text_lines",
]

# No picture is this wide; larger numbers are damage, and x + width must stay exact enough in float32.
LARGEST_COORDINATE_PX = 1_000_000.0

ProblemKind = Literal["malformed", "missing", "broken", "suspect"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a data set, at ``line`` (from 1; 0 for the whole file) of ``file``.

    ``kind`` is ``malformed`` (the line cannot be used and was left out), ``missing`` (a picture that is not there),
    ``broken`` (a picture that cannot be decoded) or ``suspect`` (read as it stands or dropped as the official files'
    own quirks are; never raised by a strict reader).
    """

    file: Path
    line: int
    message: str
    kind: ProblemKind = "malformed"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {self.message}"


def raise_worst(problems: Iterable[Problem]) -> None:
    """Raise ``DataError`` naming the first problem that is more than ``suspect`` and how many follow."""
    grave = [p for p in problems if p.kind != "suspect"]
    if grave:
        more = f" (and {len(grave) - 1:,} more; `ligera data check` lists them)" if len(grave) > 1 else ""
        raise DataError(f"{grave[0]}{more}")


def quoted(text: str, limit: int = 40) -> str:
    """``text`` for a message: quoted, unprintable characters escaped, at most ``limit`` characters of it."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


def is_file(path: Path) -> bool:
    """Whether a file stands at ``path``; names no file system accepts count as absent."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def text_lines(file: Path, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Number (from 1) and stripped text of every line that is not blank; lines that are not UTF-8 become problems.

    Raises ``DataError`` when the file cannot be read at all.
    """
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{file}: cannot be read ({reason})") from None
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            text = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            problems.append(Problem(file, number, "is not UTF-8 text"))
            continue
        if text:
            yield number, text


def numbers(text: str) -> list[float] | str:
    """The finite numbers of a line, or what is wrong with it."""
    values = []
    for word in text.split():
        try:
            value = float(word)
        except ValueError:
            return f"expected numbers, got {quoted(word)}"
        if not math.isfinite(value):
            return f"expected finite numbers, got {quoted(word)}"
        if abs(value) > LARGEST_COORDINATE_PX:
            return f"expected numbers up to {LARGEST_COORDINATE_PX:,.0f}, got {quoted(word)}"
        values.append(value)
    return values


def name_problem(name: str) -> str | None:
    """Why ``name`` cannot be the path of a picture, or ``None``."""
    if not name:
        return "expected the path of a picture, got nothing"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return f"expected the path of a picture, got {quoted(name)}"
    return None


def box_problem(x: float, y: float, width: float, height: float) -> tuple[str, ProblemKind] | None:
    """Why ``x y w h`` (px) is no usable box and how bad that is, or ``None``.

    Boxes of no area stand in the official WIDER FACE lists, so they are suspect, not malformed.
    """
    if width < 0 or height < 0:
        return f"expected a box of positive size, got {width:g} x {height:g} px", "malformed"
    if width == 0 or height == 0:
        return f"a box of {width:g} x {height:g} px has no area; left out", "suspect"
    if x + width <= 0 or y + height <= 0:
        return f"a box ending at ({x + width:g}, {y + height:g}) lies outside the picture; left out", "suspect"
    return None
