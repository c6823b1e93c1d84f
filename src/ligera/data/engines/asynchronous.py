"""Many waits at once in one thread: the ``async`` engine, for work that mostly waits for disk or network.

An ``async def`` work runs in one event loop; blocking work runs in the loop's own pool of threads. Either way up to
``width`` items wait at the same time.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ligera.data.engines.effort import Effort
from ligera.data.engines.outcome import Answer, PerWorker
from ligera.data.engines.pool import Pace
from ligera.data.engines.worker import LocalWorker, is_coroutine_work

__all__ = ["AsyncPool"]

CHUNK_S = 0.001
CHUNKS_HELD_PER_PLACE = 2


class AsyncPool:
    """An event loop in a thread of its own with room for ``width`` chunks at once."""

    def __init__(self, work: Callable[[Any], Any] | PerWorker, width: int) -> None:
        self.width = width
        self.window = CHUNKS_HELD_PER_PLACE * width
        self._work = work
        self._pace = Pace(CHUNK_S)
        self._loop = asyncio.new_event_loop()
        self._room = asyncio.Semaphore(width)
        self._done = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = None if is_coroutine_work(work) else ThreadPoolExecutor(width, "ligera-async")
        self._mine = threading.local()
        self._workers: list[LocalWorker] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="ligera-loop", daemon=True)
        self._thread.start()

    def chunk_items(self) -> int:
        return self._pace.chunk_items()

    def progress(self) -> tuple[int, Effort]:
        """Items done so far; the effort of work that waits is not looked at."""
        return self._done, Effort()

    def submit(self, chunk: list[Any]) -> Future[list[Answer]]:
        future: Future[list[Answer]] = Future()
        self._loop.call_soon_threadsafe(self._begin, chunk, future)
        return future

    def _begin(self, chunk: list[Any], future: Future[list[Answer]]) -> None:
        task = self._loop.create_task(self._answer(chunk, future))
        # The loop itself only keeps weak references.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, chunk: list[Any], future: Future[list[Answer]]) -> None:
        try:
            async with self._room:
                if self._threads is None:
                    answers = await self._in_loop(chunk)
                else:
                    answers = await self._loop.run_in_executor(self._threads, self._in_thread, chunk)
            self._done += len(chunk)
            future.set_result(answers)
        except asyncio.CancelledError:
            future.cancel()
        except BaseException as error:
            # Let through, an interrupt would end the loop and leave everybody waiting for it.
            future.set_exception(error)

    async def _in_loop(self, chunk: list[Any]) -> list[Answer]:
        started = time.perf_counter()
        answers = [await self._await(item) for item in chunk]
        self._pace.observe(len(chunk), time.perf_counter() - started)
        return answers

    async def _await(self, item: Any) -> Answer:
        try:
            return await self._work(item), None  # type: ignore[operator]
        except Exception as error:
            return None, error

    def _in_thread(self, chunk: list[Any]) -> list[Answer]:
        worker = getattr(self._mine, "worker", None)
        if worker is None:
            worker = self._mine.worker = LocalWorker(self._work)
            self._workers.append(worker)
        started = time.perf_counter()
        answers = worker.work(chunk)
        self._pace.observe(len(chunk), time.perf_counter() - started)
        return answers

    def close(self, *, hurry: bool) -> None:
        if hurry:
            for worker in self._workers:
                worker.interrupt()
            asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_asyncgens(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for worker in self._workers:
            worker.close()

    async def _cancel(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
