"""What comes back of each item, and the work itself: the records that every engine takes and gives.

In: work, a function of one item. Out: :class:`Outcome`, the item with its value or its error.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from ligera.errors import LigeraError

__all__ = ["Answer", "Outcome", "Outcomes", "PerWorker", "WorkerDied"]

Item = TypeVar("Item")
Value = TypeVar("Value")

# What a worker makes of an item: its value and None, or None and its error.
Answer = tuple[Any, Exception | None]


class WorkerDied(LigeraError):
    """The process that worked on an item ended: killed, out of memory, or by the work's own doing."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Value]):
    """One item and what came of it: ``value``, or ``error`` where the work raised one."""

    item: Item
    value: Value | None = None
    error: Exception | None = None

    def unwrap(self) -> Value:
        """The value; raises the error where there is one."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class PerWorker(Generic[Item, Value]):
    """Work that needs something of its own in each worker, such as a loaded network or an open connection.

    ``make`` is called once in each worker, in the thread that works there, and returns the function of one item. What
    it raises ends the whole run.
    """

    make: Callable[[], Callable[[Item], Value]]


class Outcomes(Generic[Item, Value]):
    """The outcomes of a run, one for each item in the order of the items; to be gone through once.

    ``engine`` names the engine at work: with ``auto`` the one it is trying or has chosen. Leaving a ``with`` block
    around it, or ``close``, ends the workers early.
    """

    def __init__(
        self, engine: str, begin: Callable[[Callable[[str], None]], Generator[Outcome[Item, Value], None, None]]
    ) -> None:
        self.engine = engine
        self._steps = begin(self._announce)

    def _announce(self, engine: str) -> None:
        self.engine = engine

    def __iter__(self) -> Iterator[Outcome[Item, Value]]:
        return self._steps

    def __next__(self) -> Outcome[Item, Value]:
        return next(self._steps)

    def close(self) -> None:
        """End the run: workers stop, items not begun are not begun."""
        self._steps.close()

    def __enter__(self) -> Outcomes[Item, Value]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
