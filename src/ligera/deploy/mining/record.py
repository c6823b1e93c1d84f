"""The progress record as an undisturbed run would have left it.

In: ``progress.jsonl`` and the names that it should hold. Out: the same file, rewritten only where a picture was mined
anew, or later than its neighbours because the process that had it died.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ligera.files import write_whole

__all__ = ["put_in_order"]


def put_in_order(path: Path, names: Sequence[str]) -> bool:
    """Leave the latest row of each of ``names``, in their order, behind the header; whether that was another file."""
    places: dict[str, int] = {}
    found = []
    with path.open("rb") as file:
        header = file.readline()
        at = len(header)
        for line in file:
            found.append(json.loads(line)["path"])
            places[found[-1]] = at
            at += len(line)
    if found == list(names):
        return False

    def write(temporary: Path) -> None:
        with path.open("rb") as old, temporary.open("wb") as new:
            new.write(header)
            for name in names:
                old.seek(places[name])
                new.write(old.readline())

    write_whole(path, write)
    return True
