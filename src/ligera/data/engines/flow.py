"""The stream through a pool of workers: items in, outcomes out in the same order, never too many under way.

In: any iterable, which may be longer than memory and is read only as far as there is room. Out: outcomes. An error of
the iterable itself is raised after the outcomes of everything it gave before, as it would be in a plain loop.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Protocol

from ligera.data.engines.effort import Effort
from ligera.data.engines.outcome import Answer, Outcome

__all__ = ["Flow", "Pool", "Source"]


class Pool(Protocol):
    """Workers that take chunks of items.

    ``width`` is how many chunks are worked on at once, ``window`` how many may be held, done or not, until the oldest
    is. ``chunk_items`` is the size it wants next.
    """

    width: int
    window: int

    def chunk_items(self) -> int: ...

    def submit(self, chunk: list[Any]) -> Future[list[Answer]]: ...

    def progress(self) -> tuple[int, Effort]:
        """Items done so far, and the effort they took where the pool knows."""
        ...

    def close(self, *, hurry: bool) -> None:
        """End all workers; ``hurry`` where some are still at work whose answers nobody wants."""
        ...


class Source:
    """Items one chunk at a time; ``left`` is how many are still to come, ``None`` where nobody knows."""

    def __init__(self, items: Iterable[Any]) -> None:
        hint = operator.length_hint(items, -1)
        self._iterator = iter(items)
        self._left = None if hint < 0 else hint
        self._error: Exception | None = None
        self.ended = False

    @property
    def left(self) -> int | None:
        return 0 if self.ended else self._left

    def take(self, count: int) -> list[Any]:
        """Up to ``count`` items; fewer only at the end."""
        chunk: list[Any] = []
        while len(chunk) < count and not self.ended:
            try:
                chunk.append(next(self._iterator))
            except StopIteration:
                self.ended = True
            except Exception as error:
                self.ended, self._error = True, error
        if self._left is not None:
            self._left = max(0, self._left - len(chunk))
        return chunk

    def rest(self) -> Iterator[Any]:
        """What is still to come, one by one; an error of the items is raised where it arises."""
        return iter(()) if self.ended else self._iterator

    def finish(self) -> None:
        """Raise what ended the items early, if anything did."""
        if self._error is not None:
            raise self._error


class Flow:
    """Items of ``source`` through ``pool``, at most ``in_flight`` of them taken and not yet given back."""

    def __init__(self, pool: Pool, source: Source, in_flight: int) -> None:
        self.progress = pool.progress
        self._pool = pool
        self._source = source
        self._in_flight = in_flight
        self._held = 0
        self.width = pool.width
        self._waiting: deque[tuple[list[Any], Future[list[Answer]]]] = deque()

    def run(self) -> Generator[Outcome, None, None]:
        """All outcomes to the end of the source; closes the pool, also when it is left early."""
        try:
            self.fill(self._in_flight)
            while self._waiting:
                for outcome in self.collect():
                    self.release(1)
                    yield outcome
                self.fill(self._in_flight)
        finally:
            self.close()
        self._source.finish()

    def fill(self, room: int) -> None:
        """Hand out chunks, while fewer than ``room`` items are held, until every worker has one in hand and one next.

        Where an outcome can be given already, one in hand will do: slow items must not keep it back.
        """
        while len(self._waiting) < self._pool.window and self._held < room and not self._source.ended:
            undone = sum(not future.done() for _, future in self._waiting)
            given = bool(self._waiting) and self._waiting[0][1].done()
            if undone >= self.width * (1 if given else 2):
                return
            self._submit(min(self._most_in_chunk(), room - self._held))

    def collect(self) -> list[Outcome]:
        """Outcomes of the oldest chunk, waiting for them; they count as held until they are released."""
        chunk, future = self._waiting[0]
        answers = future.result()
        self._waiting.popleft()
        return [Outcome(item, *answer) for item, answer in zip(chunk, answers, strict=True)]

    def collect_done(self) -> list[Outcome]:
        """Outcomes that there is no need to wait for."""
        outcomes: list[Outcome] = []
        while self._waiting and self._waiting[0][1].done():
            outcomes += self.collect()
        return outcomes

    def drain(self) -> list[Outcome]:
        """Outcomes of everything under way."""
        outcomes: list[Outcome] = []
        while self._waiting:
            outcomes += self.collect()
        return outcomes

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._waiting

    def release(self, count: int) -> None:
        """So many outcomes are with the reader, and no longer ours."""
        self._held -= count

    def close(self) -> None:
        self._pool.close(hurry=bool(self._waiting))
        self._waiting.clear()

    def _most_in_chunk(self) -> int:
        # So that every worker has one in hand and one next, even where few may be under way.
        return max(1, min(self._pool.chunk_items(), self._in_flight // (2 * self._pool.width)))

    def _submit(self, count: int) -> None:
        chunk = self._source.take(count)
        if chunk:
            self._held += len(chunk)
            self._waiting.append((chunk, self._pool.submit(chunk)))
