"""One measured process, from its parent's side: questions in, answers out, and an error where it dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from types import TracebackType
from typing import Any

from ligera.deploy.pick.worker import WorkerJob
from ligera.errors import DataError, LigeraError, MissingExtra, ModelError

__all__ = ["WorkerProcess"]

WAIT_S = 5.0


class WorkerProcess:
    """Runs ``worker`` with ``job``; ``started_ms`` is from before it was made to its first model's first answer."""

    def __init__(self, job: WorkerJob, *, threads: int) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        self._began = time.perf_counter()
        # A session of its own, as Ctrl-C is for the parent, which then closes the pipes that the worker lives by.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ligera.deploy.pick.worker", job.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("LIGERA_DEBUG") else subprocess.DEVNULL,
            env=environment,
            text=True,
            start_new_session=True,
        )
        try:
            self._read("its worker")
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def since_start_ms(self) -> float:
        return (time.perf_counter() - self._began) * 1e3

    def ask(self, do: str, *, about: str, **command: Any) -> dict[str, Any]:
        """The answer to one command. Raises the worker's own error, or ``ModelError`` on ``about`` where it died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **command}) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # its end is told below
        return self._read(about)

    def _read(self, about: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(WAIT_S)
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise ModelError(f"{about}: its process ended without an answer ({how})")
        answer = json.loads(line)
        if "error" not in answer:
            return answer
        raise _raised(answer)

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # it died with something unread
        try:
            self._process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(WAIT_S)

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _raised(answer: dict[str, Any]) -> LigeraError:
    """The worker's error, of data or of a model, with the exit code that it had there."""
    kind = DataError if answer.get("of_data") else ModelError
    error = (LigeraError if answer["exit_code"] == MissingExtra.exit_code else kind)(answer["error"])
    error.exit_code = answer["exit_code"]
    return error
