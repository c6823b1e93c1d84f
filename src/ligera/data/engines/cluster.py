"""Workers as Ray actors, on this machine or many: the ``ray`` engine (the ``cluster`` extra).

Joins the cluster that ``RAY_ADDRESS`` names, or starts one on this machine and ends it afterwards. Items and results
travel; files do not, so what the work reads and writes must lie where every machine sees it. Workers stand in the
folder we stand in, where their machine has it, so that a relative path means the same there.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2

from ligera.data.engines.distant import DistantWorker, Station
from ligera.data.engines.outcome import PerWorker, WorkerDied
from ligera.data.engines.pool import WorkerPool
from ligera.errors import MissingExtra

__all__ = ["check_ray", "ray_pool"]

# Ray takes a millisecond or more for each message.
CHUNK_S = 0.1


def check_ray() -> None:
    """Raise ``MissingExtra`` where Ray is not installed; takes no time, unlike importing it."""
    if importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "cluster", "the engine ray")


def ray_pool(work: Callable[[Any], Any] | PerWorker, count: int | None) -> WorkerPool:
    """``count`` actors that do ``work``, by default as many as the cluster has cores. Raises ``MissingExtra``."""
    check_ray()
    import ray

    started = not ray.is_initialized()
    if started:
        # Ray reports how it is used to its maker unless told not to. Whoever sets the variable has the last word.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        cores = int(ray.cluster_resources().get("CPU", 1))
        return _RayPool(ray, work, count or max(1, cores), started)
    except BaseException:
        if started:
            ray.shutdown()
        raise


class _Place(Station):
    """A station in a process of the cluster."""

    def __init__(self, folder: str, work: Callable[[Any], Any] | PerWorker) -> None:
        with suppress(OSError):
            os.chdir(folder)
        # A process of Ray's own, in which nothing has used OpenCV yet; others have the other cores.
        cv2.setNumThreads(1)
        super().__init__(work)


class _RayPool(WorkerPool):
    def __init__(self, ray: Any, work: Any, count: int, started: bool) -> None:
        self._ray, self._started = ray, started
        actor = ray.remote(_Place)
        super().__init__(lambda: DistantWorker(_ActorLine(ray, actor, work)), count, CHUNK_S)

    def close(self, *, hurry: bool) -> None:
        try:
            super().close(hurry=hurry)
        finally:
            if self._started:
                self._ray.shutdown()


class _ActorLine:
    """One actor, replaced when it dies."""

    def __init__(self, ray: Any, actor: Any, work: Any) -> None:
        self._ray, self._actor, self._work = ray, actor, work
        self._handle = self._hire()

    def _hire(self) -> Any:
        return self._actor.options(num_cpus=1, max_restarts=0).remote(str(Path.cwd()), self._work)

    def ask(self, request: bytes) -> bytes:
        if self._handle is None:
            self._handle = self._hire()
        try:
            return self._ray.get(self._handle.reply.remote(request))
        except self._ray.exceptions.RayActorError:
            self._handle = None
        raise WorkerDied("a worker of the cluster ended while it worked on this")

    def interrupt(self) -> None:
        handle = self._handle
        if handle is not None:
            self._ray.kill(handle)

    def close(self) -> None:
        if self._handle is not None:
            self._ray.kill(self._handle)
            self._handle = None
