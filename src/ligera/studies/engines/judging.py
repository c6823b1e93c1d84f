"""What each engine finds, and in which precision its layers ran: asked once of each contender, and kept.

Neither needs a quiet machine, so they are not part of a timed run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.studies.engines.contenders import Contender
from ligera.studies.engines.process import Process

__all__ = ["Verdict", "judge_contender"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``points`` of ``metric``, 0 to 100, ``None`` without data; ``weighted`` counts layers with weights by the
    precision that they ran in, ``shares`` is the part of the time spent in each, 0 to 1; both empty for torch, which
    runs as it is written."""

    metric: str
    points: float | None
    protocol: str
    weighted: dict[str, int]
    shares: dict[str, float]


def judge_contender(contender: Contender, data: Path | None, folder: Path) -> Verdict:
    """Score and audit, or read what stands in ``folder``; ``DataError`` for a damaged file there."""
    path = folder / f"{contender.key}.json"
    if path.is_file():
        try:
            row: dict[str, Any] = json.loads(path.read_text())
            return _verdict(row)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: damaged ({error}); remove it, it is made again") from None
    with Process(contender) as process:
        score = {"metric": "", "points": None, "protocol": ""} if data is None else process.ask(f"score {data}")
        row = score | process.ask("audit")
    write_bytes(path, (json.dumps(row) + "\n").encode())
    return _verdict(row)


def _verdict(row: dict[str, Any]) -> Verdict:
    return Verdict(row["metric"], row["points"], row["protocol"], row["weighted"], row["shares"])
