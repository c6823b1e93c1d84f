"""A child process that answers each line with one line of JSON, from its parent's side; and an error where it dies.

A child that is asked stands still until it is asked again, where the system can do that: ONNX Runtime's threads go on
spinning for their next run, and would take the processors from whoever has the next turn. One that tells by itself how
it gets on runs on. It ends with its standard input. What went wrong in it comes as ``{"error": ..., "exit_code": ...}``
and is raised here, with ``"of_data": true`` as an error of data.
"""

from __future__ import annotations

import json
import os
import signal
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
        # A group of its own, as Ctrl-C is for the parent, which then closes the pipes that the child lives by. In the
        # same session, so that the system ends a child that stands still when its parent is killed.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if silent and not os.environ.get("LIGERA_DEBUG") else None,
            env=os.environ | own,
            text=True,
            **({"process_group": 0} if os.name == "posix" else {}),
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def told(self, about: str) -> dict[str, Any]:
        """What it says unasked next; it is closed where that is an error."""
        try:
            return self._read(about)
        except BaseException:
            self.close()
            raise

    def first_answer(self, about: str) -> dict[str, Any]:
        """What it says once it is ready to be asked; it is closed where that is an error."""
        ready = self.told(about)
        self._signal("SIGSTOP")
        return ready

    def answer(self, line: str, about: str) -> dict[str, Any]:
        """The answer to ``line``. Raises the child's own error, or ``ModelError`` on ``about`` where it died."""
        assert self._process.stdin is not None
        self._signal("SIGCONT")
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # its end is told below
        try:
            return self._read(about)
        finally:
            self._signal("SIGSTOP")

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

    def _signal(self, name: str) -> None:
        if hasattr(signal, name):
            self._process.send_signal(getattr(signal, name))

    def raised(self, answer: dict[str, Any]) -> LigeraError:
        """The child's error, of data or of a model, with the exit code that it had there."""
        kind = DataError if answer.get("of_data") else ModelError
        error = (LigeraError if answer["exit_code"] == MissingExtra.exit_code else kind)(answer["error"])
        error.exit_code = answer["exit_code"]
        return error

    def close(self) -> None:
        self._signal("SIGCONT")
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
