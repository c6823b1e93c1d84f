"""Workers in processes of their own, for work that holds Python's lock: the ``processes`` engine.

Processes come from a fork server where there is one (Linux, see ``early``): a fresh process that has loaded OpenCV,
NumPy and what else of ours the work needs, and never used their threads. Forking a process whose OpenCV threads have
run leaves children that wait for them for ever, so with ``start_method="fork"`` the pool is switched off before.
Workers leave Ctrl-C to us and end when we do.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import cv2

from ligera.data.engines.distant import DistantWorker, Station
from ligera.data.engines.early import default_start_method, interrupts_held, with_modules
from ligera.data.engines.outcome import PerWorker, WorkerDied
from ligera.data.engines.pool import WorkerPool
from ligera.errors import LigeraError, UsageError

__all__ = ["START_METHODS", "process_pool"]

START_METHODS = tuple(multiprocessing.get_all_start_methods())
CHUNK_S = 0.03
PATIENCE_S = 5.0
READY = b"ready"
QUIT = b""


def process_pool(work: Callable[[Any], Any] | PerWorker, count: int, start_method: str | None = None) -> WorkerPool:
    """``count`` processes that do ``work``.

    Raises ``UsageError`` for work that cannot be sent to another process, and inside a worker process, which may have
    none of its own.
    """
    if multiprocessing.current_process().daemon:
        raise UsageError("engine processes: cannot be started inside a worker process; use threads")
    method = start_method or default_start_method()
    context = multiprocessing.get_context(method)
    if method == "fork":
        lines: list[_ProcessLine] = []

        def fork() -> DistantWorker:
            lines.append(_ProcessLine(context, work, lines))
            return DistantWorker(lines[-1])

        return WorkerPool(fork, count, CHUNK_S)
    if method == "forkserver":
        with_modules(context, _modules_of(work))
    payload = _pickled(work)
    return WorkerPool(lambda: DistantWorker(_ProcessLine(context, payload)), count, CHUNK_S)


def _modules_of(work: Any) -> list[str]:
    """The module of the work's function, where it is ours: another might fail on import, and the server with it."""
    function = work.make if isinstance(work, PerWorker) else work
    while isinstance(function, partial):
        function = function.func
    module = getattr(function, "__module__", None)
    return [module] if isinstance(module, str) and module.startswith("ligera.") else []


def _pickled(work: Any) -> bytes:
    try:
        return pickle.dumps(work)
    except Exception as error:
        raise UsageError(
            f"engine processes: the work cannot be sent to another process ({str(error)[:200]}); "
            "define it at the top of a module, or use threads"
        ) from None


class _ProcessLine:
    """One worker process, replaced when it dies. ``siblings`` are the lines a forked child must not keep open."""

    def __init__(self, context: Any, work: Any, siblings: list[_ProcessLine] | None = None) -> None:
        self._context = context
        self._work = work
        self._siblings = siblings
        self._closing = False
        self._ready = False
        self._process: Any = None
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        forking = self._siblings is not None
        inherited = [self._pipe, *(line._pipe for line in self._siblings)] if forking else []
        self._process = self._context.Process(target=_serve, args=(theirs, self._work, inherited), daemon=True)
        self._ready = False
        with interrupts_held(), _opencv_threads_off() if forking else nullcontext():
            self._process.start()
        # Ours must be the only other end: then a dead worker shows as the end of the pipe.
        theirs.close()

    def ask(self, request: bytes) -> bytes:
        if self._process is None:
            if self._closing:
                raise WorkerDied("the run was stopped")
            self._start()
        try:
            if not self._ready:
                self._ready = self._pipe.recv_bytes() == READY
            self._pipe.send_bytes(request)
            return self._pipe.recv_bytes()
        except (EOFError, OSError):
            begun = self._ready
            how = self._bury()
        if begun or self._closing:
            raise WorkerDied(f"a worker process {how} while it worked on this")
        raise LigeraError(
            f"a worker process {how} before it could begin; a script that uses processes must do its work under "
            "`if __name__ == '__main__':`"
        )

    def _bury(self) -> str:
        """Free what is left of a dead process; how it ended."""
        process, self._process = self._process, None
        self._pipe.close()
        process.join(PATIENCE_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        code = process.exitcode
        process.close()
        if code is not None and code < 0:
            return f"was killed by {_signal_name(-code)}"
        return f"ended with exit code {code}"

    def interrupt(self) -> None:
        self._closing = True
        process = self._process
        # The thread that asks may bury it in the same moment.
        with suppress(ValueError, AttributeError):
            process.terminate()

    def close(self) -> None:
        self._closing = True
        if self._process is None:
            return
        with suppress(OSError):
            self._pipe.send_bytes(QUIT)
        self._bury()


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name


@contextmanager
def _opencv_threads_off() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _serve(pipe: Connection, work: Any, inherited: list[Connection]) -> None:
    """The worker process: answers requests until told to quit or nobody holds the other end."""
    _leave_interrupts_to_parent()
    for end in inherited:
        end.close()
    if not inherited:
        # A forked child has it from its parent, and could wait for ever here.
        cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        station = _station(work)
        pipe.send_bytes(READY)
        while request := pipe.recv_bytes():
            pipe.send_bytes(station.reply(request))


def _end_with_parent() -> None:
    """An idle worker sees its pipe end; one at work is told when we die."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _station(work: Any) -> Station:
    if not isinstance(work, bytes):
        return Station(work)
    try:
        return Station(pickle.loads(work))
    except Exception as error:
        return Station(PerWorker(_Fails(f"the work cannot be read in a worker process ({error})")))


class _Fails:
    """A maker that raises: so the reason travels the way all do."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __call__(self) -> Callable[[Any], Any]:
        raise LigeraError(f"engine processes: {self._reason}; define it at the top of a module, or use threads")


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # Told to end in the middle of a file, a worker still takes its temporary files away.
    signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: Any) -> None:
    sys.exit(128 + signal.SIGTERM)
