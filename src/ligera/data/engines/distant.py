"""Workers that do not share our memory: what is said to them and back, and what happens when one dies.

In: chunks of items. Out: answers, carried as pickles over a :class:`Line`. The far end is a :class:`Station`. When a
chunk cannot be carried or the worker dies over it, its items are tried again one by one, so that only the item at fault
gets the error; work may therefore begin twice on an item that shared a chunk with one that killed its worker.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ligera.data.engines.effort import Effort, thread_effort
from ligera.data.engines.outcome import Answer, PerWorker, WorkerDied
from ligera.data.engines.worker import LocalWorker
from ligera.errors import LigeraError

__all__ = ["DistantWorker", "Line", "Station", "Undeliverable"]


class Undeliverable(LigeraError):
    """An item or a value that cannot travel between processes."""


class Line(Protocol):
    """The way to one station. ``ask`` raises ``WorkerDied`` when there is nobody to answer, now or later."""

    def ask(self, request: bytes) -> bytes: ...

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class Station:
    """The far end: makes its worker on the first request and never lets an error of the work through."""

    def __init__(self, work: Callable[[Any], Any] | PerWorker) -> None:
        self._worker = LocalWorker(work)

    def reply(self, request: bytes) -> bytes:
        """The pickle of ``("answers", list, effort)``, or of ``("unreadable" or "broken", error, effort)``."""
        before = thread_effort()
        try:
            chunk = pickle.loads(request)
        except Exception as error:
            return pickle.dumps(("unreadable", _reason(error), Effort()))
        try:
            self._worker.prepare()
        except Exception as error:
            return pickle.dumps(("broken", _portable(error), Effort()))
        answers = [(value, error and _portable(error)) for value, error in self._worker.work(chunk)]
        effort = thread_effort() - before
        try:
            return pickle.dumps(("answers", answers, effort), pickle.HIGHEST_PROTOCOL)
        except Exception:
            answers = [_deliverable(answer) for answer in answers]
            return pickle.dumps(("answers", answers, effort), pickle.HIGHEST_PROTOCOL)


class DistantWorker:
    """The near end: a worker like any other."""

    def __init__(self, line: Line) -> None:
        self.effort = Effort()
        self._line = line
        self._interrupted = False

    def work(self, chunk: Sequence[Any]) -> list[Answer]:
        try:
            return self._ask(chunk)
        except (WorkerDied, Undeliverable) as error:
            if self._interrupted:
                return []
            if len(chunk) == 1:
                return [(None, error)]
        return [answer for item in chunk for answer in self.work([item])]

    def _ask(self, chunk: Sequence[Any]) -> list[Answer]:
        try:
            request = pickle.dumps(chunk, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            raise Undeliverable(f"an item cannot be sent to another process ({_reason(error)})") from None
        reply = self._line.ask(request)
        try:
            kind, content, effort = pickle.loads(reply)
        except Exception as error:
            raise Undeliverable(f"a result cannot be read back from another process ({_reason(error)})") from None
        if kind == "broken":
            raise content
        if kind == "unreadable":
            raise Undeliverable(f"an item cannot be read in another process ({content})")
        self.effort += effort
        return content

    def interrupt(self) -> None:
        self._interrupted = True
        self._line.interrupt()

    def close(self) -> None:
        self._line.close()


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _deliverable(answer: Answer) -> Answer:
    """The answer, or an error in its place where its value cannot be pickled."""
    try:
        pickle.dumps(answer)
    except Exception as error:
        return None, Undeliverable(f"a result cannot be sent back from another process ({_reason(error)})")
    return answer


def _portable(error: Exception) -> Exception:
    """``error`` with where it arose as a note, in a form that arrives with the same type and message."""
    error.add_note("in a worker:\n" + "".join(traceback.format_exception(error)))
    try:
        arrived = pickle.loads(pickle.dumps(error))
        if type(arrived) is type(error) and str(arrived) == str(error):
            return error
    except Exception:
        pass
    carried = _Carried(type(error), error.args, {"__notes__": error.__notes__})
    try:
        pickle.loads(pickle.dumps(carried))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return carried


class _Carried(Exception):
    """An error whose own pickle does not open, as when its ``__init__`` takes other arguments than its message."""

    def __init__(self, kind: type[Exception], arguments: tuple[Any, ...], state: dict[str, Any]) -> None:
        super().__init__()
        self._parts = kind, arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, self._parts


def _rebuild(kind: type[Exception], arguments: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    """An error of ``kind`` made without its ``__init__``, which would want what it was once given."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error
