"""A worker in the thread that calls it: holds the work's own things and turns items into answers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from types import CoroutineType
from typing import Any

from ligera.data.engines.effort import Effort, thread_effort
from ligera.data.engines.outcome import Answer, PerWorker

__all__ = ["LocalWorker", "is_coroutine_work"]


def is_coroutine_work(work: Any) -> bool:
    """Whether ``work`` is an ``async def`` function or an object whose call is one."""
    return inspect.iscoroutinefunction(work) or inspect.iscoroutinefunction(getattr(work, "__call__", None))  # noqa: B004


class LocalWorker:
    """Does ``work`` where it stands; a coroutine is run to its end in an event loop of the worker's own."""

    def __init__(self, work: Callable[[Any], Any] | PerWorker) -> None:
        self.effort = Effort()
        self._work = work
        self._function: Callable[[Any], Any] | None = None if isinstance(work, PerWorker) else work
        self._runner: asyncio.Runner | None = None
        self._interrupted = False

    def prepare(self) -> None:
        """Make what the work needs, if that is still to be done; raises whatever its maker raises."""
        if self._function is None:
            self._function = self._work.make()  # type: ignore[union-attr]

    def work(self, chunk: Sequence[Any]) -> list[Answer]:
        """Answers of a chunk; fewer after ``interrupt``."""
        self.prepare()
        before = thread_effort()
        answers = []
        for item in chunk:
            if self._interrupted:
                break
            answers.append(self.answer(item))
        self.effort += thread_effort() - before
        return answers

    def answer(self, item: Any) -> Answer:
        """The answer of one item, after ``prepare``."""
        try:
            value = self._function(item)  # type: ignore[misc]
            if isinstance(value, CoroutineType):
                value = self._run(value)
        except Exception as error:
            return None, error
        return value, None

    def _run(self, coroutine: CoroutineType) -> Any:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)

    def interrupt(self) -> None:
        """From another thread: begin no further item."""
        self._interrupted = True

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()
