"""An XML file from anyone -> a tree of elements that know their line, with nothing in it that can grow or reach out.

In: a path. Out: :class:`Element`, or :class:`XmlError` with file and line. A file with a DOCTYPE is refused before any
of it is expanded, so that there are no entities (the "billion laughs") and no outside files; size, depth and number of
elements are bounded. Text between tags is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from ligera.errors import DataError

__all__ = ["Element", "XmlError", "read_xml"]

MOST_BYTES = 64 * 2**20
MOST_ELEMENTS = 1_000_000
DEEPEST = 100
_BETWEEN = "\n"  # stands between a namespace and a name, and in neither


class XmlError(DataError):
    """Why ``file`` cannot be used, at ``line`` (0 for the whole file)."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(slots=True)
class Element:
    """``name`` without its ``namespace``; ``attributes`` by name, those of other namespaces left out."""

    name: str
    namespace: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)

    def get(self, attribute: str) -> str | None:
        return self.attributes.get(attribute)

    def all(self, name: str) -> Iterator[Element]:
        """Its own children of that name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        return next(self.all(name), None)


def read_xml(file: Path, *, leave_out: frozenset[str] = frozenset()) -> Element:
    """The root element of ``file``; elements named in ``leave_out`` are dropped with all they hold."""
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise XmlError(file, 0, f"is {size / 1e6:,.0f} MB; XML of up to {MOST_BYTES / 1e6:,.0f} MB is read")
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise XmlError(file, 0, f"cannot be read ({reason})") from None
    builder = _Builder(file, leave_out)
    try:
        builder.parser.Parse(content, True)
    except expat.ExpatError as error:
        reason = f"is not valid XML ({expat.ErrorString(error.code)})"
        raise XmlError(file, error.lineno, reason) from None
    except (LookupError, ValueError) as error:  # encodings that Python knows otherwise, or not at all
        raise XmlError(file, 0, f"is not valid XML ({error})") from None
    assert builder.root is not None  # expat finds no error only in a file with a root
    return builder.root


class _Builder:
    """Holds the open elements while expat walks the file."""

    def __init__(self, file: Path, leave_out: frozenset[str]) -> None:
        self.root: Element | None = None
        self.parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._file = file
        self._leave_out = leave_out
        self._open: list[Element] = []
        self._left_out_depth = 0
        self._count = 0

    def _fail(self, reason: str) -> XmlError:
        return XmlError(self._file, self.parser.CurrentLineNumber, reason)

    def _doctype(self, *_: object) -> None:
        raise self._fail("has a DOCTYPE, which could pull in other files or grow without end; remove that line")

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(_BETWEEN)
        if self._left_out_depth or name in self._leave_out:
            self._left_out_depth += 1
            return
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise self._fail(f"has more than {MOST_ELEMENTS:,} elements")
        if len(self._open) >= DEEPEST:
            raise self._fail(f"is nested more than {DEEPEST} elements deep")
        own = {key: value for key, value in attributes.items() if _BETWEEN not in key}
        element = Element(name, namespace, own, self.parser.CurrentLineNumber)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        if self._left_out_depth:
            self._left_out_depth -= 1
        else:
            self._open.pop()
