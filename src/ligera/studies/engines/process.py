"""The other end of ``worker``: asks a contender's process, and raises here what went wrong there."""

from __future__ import annotations

from typing import Any

from ligera.deploy.timing.answering import AnsweringProcess
from ligera.errors import LigeraError
from ligera.studies.engines.contenders import Contender

__all__ = ["Process"]


class Process(AnsweringProcess):
    """One contender's process, ended on leaving; ``ready`` is its first answer."""

    advice = "run the study again"

    def __init__(self, contender: Contender) -> None:
        self._key = contender.key
        super().__init__("ligera.studies.engines.worker", contender.to_json(), threads=contender.threads)
        self.ready = self.first_answer(self._key)

    def ask(self, line: str) -> dict[str, Any]:
        """The answer to ``line``; raises what the process says went wrong, or that it ended."""
        return self.answer(line, self._key)

    def raised(self, answer: dict[str, Any]) -> LigeraError:
        return super().raised(answer | {"error": f"{self._key}: {answer['error']}"})
