"""What an engine takes long to start, begun before it is needed: the fork server of ``processes``.

In: the engine's name and modules that its work will import. The server starts beside us and imports them once, while
we still read and import ourselves; every worker forked from it has them at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["begin_early", "begun", "default_start_method", "interrupts_held", "with_modules"]

WORKERS = "ligera.data.engines.processes"
_servers_of: set[int] = set()


def default_start_method() -> str:
    """``forkserver`` on Linux, else ``spawn``: neither inherits threads or locks of this process."""
    return "forkserver" if sys.platform == "linux" else "spawn"


def begin_early(engine: str, modules: Sequence[str]) -> None:
    """Start what ``engine`` will need, if anything; returns at once. Modules that are missing are left out.

    They are only imported, so they may not start threads on import: those would be missing in the workers.
    """
    if engine != "processes" or default_start_method() != "forkserver":
        return
    with_modules(multiprocessing.get_context("forkserver"), modules)
    from multiprocessing import forkserver

    with interrupts_held():
        forkserver.ensure_running()


def begun() -> bool:
    """Whether this process has a fork server by now, so that more workers cost little."""
    return os.getpid() in _servers_of


def with_modules(context: Any, modules: Sequence[str]) -> None:
    """Let the fork server, where it does not run yet, import ``modules`` besides what every worker needs."""
    _servers_of.add(os.getpid())
    own = [name for name in modules if name != "__main__"]
    context.set_forkserver_preload(["__main__", WORKERS, *own])


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C waits while a process starts, and is held in the new one from its first instruction."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
