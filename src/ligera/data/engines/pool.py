"""Workers in threads: the ``threads`` engine, and what drives the workers of every other place.

Each thread has one worker for life. A worker elsewhere, in another process or on another machine, is only called from
here, so that order, pace and stopping are the same for all.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from ligera.data.engines.effort import Effort
from ligera.data.engines.outcome import Answer

__all__ = ["Pace", "Worker", "WorkerPool"]

CHUNKS_HELD_PER_WORKER = 4


class Worker(Protocol):
    """Turns chunks into answers, one at a time. ``work`` raises only what ends the whole run.

    ``effort`` is what all its chunks took so far.
    """

    effort: Effort

    def work(self, chunk: Sequence[Any]) -> list[Answer]: ...

    def interrupt(self) -> None:
        """From another thread: let ``work`` return soon, whatever with."""
        ...

    def close(self) -> None: ...


class Pace:
    """Sizes chunks so that each takes about ``chunk_s``: tiny items travel together, slow ones alone."""

    def __init__(self, chunk_s: float) -> None:
        self._chunk_s = chunk_s
        self._item_s: float | None = None

    def observe(self, items: int, elapsed_s: float) -> None:
        each = elapsed_s / max(1, items)
        self._item_s = each if self._item_s is None else 0.7 * self._item_s + 0.3 * each

    def chunk_items(self) -> int:
        """The next size; one until anything is known."""
        if self._item_s is None:
            return 1
        return max(1, int(self._chunk_s / max(self._item_s, 1e-9)))


class WorkerPool:
    """``count`` threads, each with a worker that ``hire`` gave; chunks should take ``chunk_s`` each."""

    def __init__(self, hire: Callable[[], Worker], count: int, chunk_s: float) -> None:
        self.width = count
        self.window = CHUNKS_HELD_PER_WORKER * count
        self._pace = Pace(chunk_s)
        self._done = 0
        self._counting = threading.Lock()
        self._mine = threading.local()
        self._workers: list[Worker] = []
        try:
            for _ in range(count):
                self._workers.append(hire())
        except BaseException:
            for worker in self._workers:
                worker.close()
            raise
        self._unclaimed: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._unclaimed.put(worker)
        self._threads = ThreadPoolExecutor(count, "ligera-engine", initializer=self._claim)

    def _claim(self) -> None:
        self._mine.worker = self._unclaimed.get()

    def chunk_items(self) -> int:
        return self._pace.chunk_items()

    def progress(self) -> tuple[int, Effort]:
        """Items done so far, and the effort they took."""
        return self._done, sum((worker.effort for worker in self._workers), Effort())

    def submit(self, chunk: list[Any]) -> Future[list[Answer]]:
        return self._threads.submit(self._work, chunk)

    def _work(self, chunk: list[Any]) -> list[Answer]:
        started = time.perf_counter()
        answers = self._mine.worker.work(chunk)
        self._pace.observe(len(chunk), time.perf_counter() - started)
        with self._counting:
            self._done += len(chunk)
        return answers

    def close(self, *, hurry: bool) -> None:
        if hurry:
            for worker in self._workers:
                worker.interrupt()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.close()
