"""What commands say and how: results on standard output, progress and trouble on standard error."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["complain", "print_json", "print_table", "quiet_libraries", "say", "with_progress"]

Item = TypeVar("Item")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
LIVE_AFTER = 3
STANDARD_ERROR = 2


def say(text: str = "") -> None:
    """One line of result."""
    print(_plain(text))


def complain(text: str) -> None:
    """One line about trouble or progress."""
    print(_plain(" ".join(text.split("\n"))), file=sys.stderr)


def _plain(text: str) -> str:
    """Control characters written out: a file's name must not clear the screen, or look like two lines."""
    return CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def print_json(row: Any) -> None:
    """One line of JSON, out at once, so that a reader at the other end of a pipe need not wait."""
    print(json.dumps(row), flush=True)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keeps what decoders in C write to standard error from the user, who gets our line about the same trouble.

    What Python says still arrives; with ``LIGERA_DEBUG`` everything does.
    """
    if os.environ.get("LIGERA_DEBUG"):
        yield
        return
    before = sys.stderr
    before.flush()
    kept, nowhere = os.dup(STANDARD_ERROR), os.open(os.devnull, os.O_WRONLY)
    try:
        if _writes_to(before, STANDARD_ERROR):
            sys.stderr = os.fdopen(
                kept, "w", buffering=1, encoding=before.encoding, errors=before.errors, closefd=False
            )
        os.dup2(nowhere, STANDARD_ERROR)
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)
        os.close(nowhere)


def _writes_to(stream: Any, descriptor: int) -> bool:
    """Whether ``stream`` is a real one: tests and notebooks put others in its place."""
    try:
        return stream.fileno() == descriptor
    except (AttributeError, OSError, ValueError):
        return False


def with_progress(items: Iterable[Item], total: int | None, what: str) -> Iterator[Item]:
    """The items themselves, with a bar on standard error where that is a terminal and there is a wait."""
    if not sys.stderr.isatty() or (total is not None and total < LIVE_AFTER):
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            yield item
            bar.advance(task)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """A table as wide as it needs to be; the first ``left`` columns hold words, the rest numbers.

    Plain text in columns, so that it can be pasted, cut and compared.
    """
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            str(cell).ljust(width) if i < left else str(cell).rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    say(line(header))
    say("  ".join("-" * width for width in widths))
    for row in rows:
        say(line(row))
