"""One measured process of pick, from its parent's side."""

from __future__ import annotations

import json
import time
from typing import Any

from ligera.deploy.pick.worker import WorkerJob
from ligera.deploy.timing.answering import AnsweringProcess

__all__ = ["WorkerProcess"]


class WorkerProcess(AnsweringProcess):
    """Runs ``worker`` with ``job``; :meth:`since_start_ms` counts from before it was made."""

    def __init__(self, job: WorkerJob, *, threads: int) -> None:
        self._began = time.perf_counter()
        super().__init__("ligera.deploy.pick.worker", job.to_json(), threads=threads, silent=True)
        self.first_answer("its worker")

    def since_start_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1e3

    def ask(self, do: str, *, about: str, **command: Any) -> dict[str, Any]:
        """The answer to one command. Raises the worker's own error, or ``ModelError`` on ``about`` where it died."""
        return self.answer(json.dumps({"do": do, **command}), about)
