"""The other end of ``worker``: asks a contender's process, and raises here what went wrong there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any

from ligera.errors import DataError, LigeraError
from ligera.studies.engines.contenders import Contender

__all__ = ["Process"]

PATIENCE_S = 30


class Process:
    """One contender's process, ended on leaving; ``ready`` is its first answer."""

    def __init__(self, contender: Contender) -> None:
        self._key = contender.key
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ligera.studies.engines.worker", contender.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(contender.threads)},
        )
        try:
            self.ready = self._read()
        except BaseException:
            self.close()
            raise

    def ask(self, line: str) -> dict[str, Any]:
        """The answer to ``line``; raises what the process says went wrong, ``DataError`` where it ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its last words are read below
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(PATIENCE_S)
            raise DataError(f"{self._key}: its process ended without an answer (exit code {code}); run the study again")
        answer = json.loads(line)
        if "error" in answer:
            error = LigeraError(f"{self._key}: {answer['error']}")
            error.exit_code = answer["exit_code"]
            raise error
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(PATIENCE_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            self._process.stdout.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
