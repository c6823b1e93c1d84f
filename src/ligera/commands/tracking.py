"""Progress of long work for commands: a bar on a terminal, ten lines elsewhere; on standard error either way."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ligera.commands.terminal import complain, with_progress

__all__ = ["track"]

LINES = 10


def track(work: Sequence[Any], what: str) -> Iterable[Any]:
    """The items of ``work``, one after another, with word of how many are done."""
    return with_progress(work, len(work), what) if sys.stderr.isatty() else _lines(work, what)


def _lines(work: Sequence[Any], what: str) -> Iterator[Any]:
    for number, item in enumerate(work):
        yield item
        if (number + 1) * LINES // len(work) > number * LINES // len(work):
            complain(f"{what}: {number + 1} of {len(work)}")
