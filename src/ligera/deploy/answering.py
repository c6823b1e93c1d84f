"""A child process that answers each line with one line of JSON, from its parent's side; and an error where it dies.

The child ends with its standard input. What went wrong in it comes as ``{"error": ..., "exit_code": ...}`` and is
raised here, with ``"of_data": true`` as an error of data.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from ligera.errors import DataError, LigeraError, MissingExtra, ModelError

__all__ = ["AnsweringProcess"]

# To end by itself once its input is closed; to be gone after its end, which a large memory delays.
CLOSING_S, GONE_S = 5.0, 60.0


class AnsweringProcess:
    """Runs the module ``module`` with ``arguments``, on ``threads`` where they are given; ends with its block.

    ``silent`` hides its standard error, unless ``LIGERA_DEBUG`` is set. ``advice`` is what to do where it dies.
    """

    advice = ""

    def __init__(self, module: str, *arguments: str, threads: int | None = None, silent: bool = False) -> None:
        # some networks run on threads of their own
        own = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        # A session of its own, as Ctrl-C is for the parent, which then closes the pipes that the child lives by.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if silent and not os.environ.get("LIGERA_DEBUG") else None,
            env=os.environ | own,
            text=True,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def first_answer(self, about: str) -> dict[str, Any]:
        """What it says unasked once it is ready; it is closed where that is an error."""
        try:
            return self._read(about)
        except BaseException:
            self.close()
            raise

    def answer(self, line: str, about: str) -> dict[str, Any]:
        """The answer to ``line``. Raises the child's own error, or ``ModelError`` on ``about`` where it died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # its end is told below
        return self._read(about)

    def _read(self, about: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait(GONE_S)
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            tail = f"; {self.advice}" if self.advice else ""
            raise ModelError(f"{about}: its process ended without an answer ({how}){tail}")
        answer = json.loads(line)
        if "error" in answer:
            raise self.raised(answer)
        return answer

    def raised(self, answer: dict[str, Any]) -> LigeraError:
        """The child's error, of data or of a model, with the exit code that it had there."""
        kind = DataError if answer.get("of_data") else ModelError
        error = (LigeraError if answer["exit_code"] == MissingExtra.exit_code else kind)(answer["error"])
        error.exit_code = answer["exit_code"]
        return error

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # it died with something unread
        try:
            self._process.wait(CLOSING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(GONE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
