"""What a profile has measured so far, kept beside its output so that a killed one goes on where it stood.

One JSON object per line: first what was to be measured and how, then every turn as it ends. A line that a kill cut
short is dropped. The file is appended to by one process alone and goes when the table is written.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ligera.errors import DataError, UsageError
from ligera.locks import lock
from ligera.search.timing import TooSlow, Turn

__all__ = ["ProgressFile"]


class ProgressFile:
    """``turns`` and ``skipped`` by key, those of an earlier run included.

    ``identity`` is what must agree for two runs to share their turns. Raises ``UsageError`` where an unfinished profile
    stands and ``resume`` was not asked for, or where it is one of something else, ``DataError`` for a damaged file.
    """

    def __init__(self, output: Path, identity: dict[str, Any], *, resume: bool) -> None:
        self.path = output.with_name(f".{output.name}.turns.jsonl")
        self.turns: dict[str, list[Turn]] = {}
        self.skipped: dict[str, str] = {}
        self._identity = json.loads(json.dumps(identity))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        stands = self.path.exists() and self.path.stat().st_size > 0
        if stands and not resume:
            raise UsageError(f"{output}: an unfinished profile stands beside it; add --resume, or delete {self.path}")
        # unbuffered: what was measured is with the system before the next turn starts
        self._file = self.path.open("r+b" if self.path.exists() else "x+b", buffering=0)
        try:
            if not lock(self._file):
                raise UsageError(f"{output}: another profile is writing it right now")
            self._file.truncate(self._read(output))
            self._file.seek(0, os.SEEK_END)
            if not self._file.tell():
                self._append({"profile": self._identity})
        except BaseException:
            self._file.close()
            raise

    @property
    def count(self) -> int:
        """How many turns there are, all graphs together."""
        return sum(map(len, self.turns.values()))

    def add(self, key: str, outcome: Turn | TooSlow) -> None:
        """Keep one outcome; it is in the file when this returns."""
        if isinstance(outcome, TooSlow):
            self.skipped[key] = outcome.reason
            self._append({"key": key, "skipped": outcome.reason})
            return
        self.turns.setdefault(key, []).append(outcome)
        self._append({"key": key, "turn": asdict(outcome)})

    def close(self, *, done: bool) -> None:
        """Let go of the file, and delete it where all of it is ``done``."""
        if done:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def _append(self, row: dict[str, Any]) -> None:
        line = (json.dumps(row) + "\n").encode()
        start = self._file.tell()
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            self._file.truncate(start)
            error.filename = str(self.path)
            raise

    def _read(self, output: Path) -> int:
        """Take in what is there; returns how many bytes of it are whole lines."""
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                row = json.loads(line)
                if number == 1:
                    self._same(row["profile"], output)
                elif "turn" in row:
                    self.turns.setdefault(row["key"], []).append(Turn(**row["turn"]))
                else:
                    self.skipped[row["key"]] = row["skipped"]
            except (ValueError, KeyError, TypeError):
                raise DataError(f"{self.path}:{number}: damaged; delete it to measure anew") from None
        return whole

    def _same(self, theirs: dict[str, Any], output: Path) -> None:
        for name, value in self._identity.items():
            if theirs.get(name) != value:
                raise UsageError(
                    f"{output}: the unfinished profile beside it has another {name.replace('_', ' ')}; "
                    f"repeat its options, or delete {self.path} to measure anew"
                )
