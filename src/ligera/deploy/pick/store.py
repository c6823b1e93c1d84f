"""The cache of measurements: one file for each thing measured, named by a digest of all that it depends on.

A file is gzip, one line of JSON with the digest of what follows and what measuring it took, then the value as JSON. One
that is damaged is as good as none and counted, so that its user can be told. Where a cache cannot be written, this run
remembers for itself.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ligera.deploy.runtimes.engine_cache import cache_folder
from ligera.files import write_bytes

__all__ = ["FORMAT", "Store", "pick_folder"]

# Raised when what is measured, or how, changes.
FORMAT = 2
LEVEL = 3

Value = TypeVar("Value")


def pick_folder() -> Path:
    """Where measurements are kept by default: ``$XDG_CACHE_HOME/ligera/pick``, or below ``~/.cache``."""
    return cache_folder() / "pick"


class Store:
    """Values by kind and what they depend on.

    ``damaged`` and ``unwritten`` count files, ``trouble`` is the last reason why one was not written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0
        self.unwritten = 0
        self.trouble = ""
        self._kept: dict[Path, bytes] = {}
        self._took_s: dict[Path, float] = {}

    @property
    def worth_s(self) -> float:
        """Seconds that measuring everything read and written here took, in this run or an earlier one."""
        return sum(self._took_s.values())

    def read(self, kind: str, key: Mapping[str, Any], parse: Callable[[Any], Value]) -> Value | None:
        """What ``parse`` makes of the value, or ``None`` where there is none or a damaged one."""
        path = self._path(kind, key)
        try:
            if path in self._kept:
                return parse(json.loads(self._kept[path]))
            content = gzip.decompress(path.read_bytes())
            header, _, body = content.partition(b"\n")
            facts = json.loads(header)
            if facts["sha256"] != hashlib.sha256(body).hexdigest():
                raise ValueError("its content is not what its first line says")
            value, took_s = parse(json.loads(body)), float(facts["took_s"])
            self._took_s[path] = took_s
            return value
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error):
            self.damaged += 1
            return None

    def write(self, kind: str, key: Mapping[str, Any], value: Any, took_s: float = 0.0) -> None:
        """Keep ``value``, measuring which took ``took_s`` beside what it took to measure the value that it replaces.

        A full or read-only disk only means that the next run measures again.
        """
        path, body = self._path(kind, key), json.dumps(value).encode()
        self._took_s[path] = self._took_s.get(path, 0.0) + took_s
        facts = {"sha256": hashlib.sha256(body).hexdigest(), "took_s": self._took_s[path], "key": dict(key)}
        try:
            write_bytes(path, gzip.compress(json.dumps(facts).encode() + b"\n" + body, LEVEL, mtime=0))
        except OSError as error:
            self.unwritten += 1
            self._kept[path] = body
            self.trouble = f"{self.folder}: {(error.strerror or str(error)).lower()}"

    def _path(self, kind: str, key: Mapping[str, Any]) -> Path:
        text = json.dumps({"format": FORMAT, "kind": kind, **key}, sort_keys=True)
        return self.folder / kind / f"{hashlib.sha256(text.encode()).hexdigest()}.json.gz"
