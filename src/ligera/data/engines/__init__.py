"""The same work on many items, by whatever does it best: one after another, threads, processes, asyncio, Ray.

    with run("auto", decode, paths) as outcomes:
        for outcome in outcomes:
            print(outcome.item, outcome.error or outcome.value)

In: work (a function of one item) and items (any iterable, also one longer than memory). Out: one :class:`Outcome` for
each item in the order of the items, the same whatever the engine (SPEC section A). Which to take: ``threads`` where the
work leaves Python's lock (decoding, networks), ``processes`` where it does not, ``async`` where it waits, ``ray`` for
many machines, ``auto`` to find out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from ligera.data.engines.early import begin_early
from ligera.data.engines.flow import Flow, Pool, Source
from ligera.data.engines.outcome import Outcome, Outcomes, PerWorker, WorkerDied
from ligera.data.engines.worker import LocalWorker
from ligera.errors import UsageError, nearest

__all__ = [
    "ENGINES",
    "LOCAL_ENGINES",
    "MOST_WORKERS",
    "Outcome",
    "Outcomes",
    "PerWorker",
    "WorkerDied",
    "begin_early",
    "check_engine",
    "default_workers",
    "run",
    "usable_cores",
]

Item = TypeVar("Item")
Value = TypeVar("Value")

LOCAL_ENGINES = ("sequential", "threads", "processes", "async")
ENGINES = ("auto", *LOCAL_ENGINES, "ray")
MOST_WORKERS = 1024
IN_FLIGHT_PER_WORKER = 64
WAITS_AT_ONCE = 32
THREAD_CHUNK_S = 0.005


def usable_cores() -> int:
    """Cores that this process may use, which a container or ``taskset`` may have made fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers(engine: str, work: Any = None) -> int:
    """How many items an engine works on at once when nobody says: as many as there are cores; 32 that only wait.

    Work that holds something of its own in each worker waits no more than there are cores.
    """
    if engine == "sequential":
        return 1
    return WAITS_AT_ONCE if engine == "async" and not isinstance(work, PerWorker) else usable_cores()


def run(
    engine: str,
    work: Callable[[Item], Value] | PerWorker[Item, Value],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    in_flight: int | None = None,
    start_method: str | None = None,
) -> Outcomes[Item, Value]:
    """``work`` on each of ``items`` by ``engine`` (one of ``ENGINES``), its outcomes in the order of the items.

    ``workers`` is how many items are worked on at once. At most ``in_flight`` items (64 for each worker) are taken
    from ``items`` and not yet given back; slow ones are held fewer. An error that the work raises is carried with its
    item. A worker process that dies makes ``WorkerDied`` the error of the item that it died over. Work may be ``async
    def`` under any engine; for ``processes`` and ``ray`` it must be picklable unless ``start_method`` is ``fork``.

    Nothing starts before the first outcome is asked for. An interrupt, or ``close``, ends all workers: processes at
    once, threads after the item they are at. Raises ``UsageError`` for an unknown engine, numbers out of range or work
    that cannot be sent to processes, ``MissingExtra`` for ray where it is not installed, and, in its place, whatever
    ``items`` themselves raise.
    """
    check_engine(engine, workers)
    if in_flight is not None and in_flight < 1:
        raise UsageError(f"in_flight: expected 1 or more, got {in_flight}")
    _check_start_method(start_method)

    def open_pool(name: str) -> tuple[Pool, int]:
        pool = _open_pool(name, work, workers, start_method)
        return pool, in_flight or IN_FLIGHT_PER_WORKER * pool.width

    source = Source(items)
    if engine == "sequential":
        return Outcomes(engine, lambda _: _sequential(work, source))
    if engine != "auto":
        return Outcomes(engine, lambda _: _pooled(lambda: open_pool(engine), source))
    from ligera.data.engines.auto import automatic

    width = workers or usable_cores()
    held = in_flight or IN_FLIGHT_PER_WORKER * width
    return Outcomes(engine, lambda announce: automatic(work, source, open_pool, width, held, announce))


def check_engine(engine: str, workers: int | None = None) -> None:
    """Raise ``UsageError`` for an unknown engine or too many workers, ``MissingExtra`` for ray without Ray."""
    if engine not in ENGINES:
        raise UsageError(f"no engine is called {engine!r}{nearest(engine, ENGINES)}; known: {', '.join(ENGINES)}")
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise UsageError(f"workers: expected 1 to {MOST_WORKERS}, got {workers}")
    if engine == "ray":
        from ligera.data.engines.cluster import check_ray

        check_ray()


def _check_start_method(start_method: str | None) -> None:
    if start_method is None:
        return
    from ligera.data.engines.processes import START_METHODS

    if start_method not in START_METHODS:
        raise UsageError(f"start_method: expected one of {', '.join(START_METHODS)}, got {start_method!r}")


def _open_pool(engine: str, work: Any, workers: int | None, start_method: str | None) -> Pool:
    if engine == "ray":
        from ligera.data.engines.cluster import ray_pool

        return ray_pool(work, workers)
    count = workers or default_workers(engine, work)
    if engine == "processes":
        from ligera.data.engines.processes import process_pool

        return process_pool(work, count, start_method)
    if engine == "async":
        from ligera.data.engines.asynchronous import AsyncPool

        return AsyncPool(work, count)
    from ligera.data.engines.pool import WorkerPool

    return WorkerPool(lambda: LocalWorker(work), count, THREAD_CHUNK_S)


def _sequential(work: Any, source: Source) -> Generator[Outcome, None, None]:
    worker = LocalWorker(work)
    try:
        worker.prepare()
        for item in source.rest():
            yield Outcome(item, *worker.answer(item))
    finally:
        worker.close()


def _pooled(open_pool: Callable[[], tuple[Pool, int]], source: Source) -> Generator[Outcome, None, None]:
    pool, in_flight = open_pool()
    yield from Flow(pool, source, in_flight).run()
