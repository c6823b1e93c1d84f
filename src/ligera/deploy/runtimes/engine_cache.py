"""Compiled networks kept beside their bundle, so that a start need not compile again.

In: a bundle's path and what its engine was made by and for. Out: the engine's bytes, or ``None`` where none fits. A
file opens with one line of JSON that says for which network, runtime, device and precision it is, and the digest of
what follows: one that is damaged, or made elsewhere, is as good as none and is replaced, which is said in the log.
What cannot be kept is not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ligera
from ligera.files import write_bytes

__all__ = ["EngineCache", "EngineKey", "cache_folder"]

LONGEST_HEADER_BYTES = 1 << 20
# What a user would change, in the order in which it explains most.
SAID_OF = {"device": "device", "version": "version", "model_sha256": "network", "precision": "precision"}
log = logging.getLogger("ligera")


def cache_folder() -> Path:
    """The user's own cache: ``$XDG_CACHE_HOME/ligera``, or ``~/.cache/ligera``."""
    # The rule of the standard: what is no absolute path counts as unset.
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "ligera"


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an engine is for: the bundle's bytes by digest, the runtime with its version, the device, the precision."""

    model_sha256: str
    runtime: str
    version: str
    device: str
    precision: str


class EngineCache:
    """The place of one engine. Beside the bundle, or in the user's cache for bundles of the package itself.

    ``about`` is what was said of the engine when it was written, once it was read.
    """

    def __init__(self, model: Path, key: EngineKey) -> None:
        self.key = key
        self.about: dict[str, Any] = {}
        ours = Path(ligera.__path__[0]).resolve() in model.resolve().parents
        folder = cache_folder() / "engines" if ours or not os.access(model.parent, os.W_OK) else model.parent
        self.path = folder / f"{model.stem}.{key.runtime}-{key.version}-{key.precision}.engine"

    def read(self) -> bytes | None:
        """The engine, or ``None`` where there is none, a damaged one or one for something else."""
        if not self.path.is_file():
            return None
        try:
            with self.path.open("rb") as file:
                header = json.loads(file.readline(LONGEST_HEADER_BYTES))
                engine = file.read()
            about = header.pop("about", {})
            trouble = self._trouble(header, about, engine)
        except (OSError, ValueError, TypeError, RecursionError, AttributeError):
            trouble = "is damaged"
        if trouble:
            log.warning("%s: %s, so the engine is made anew", self.path, trouble)
            return None
        self.about = about
        return engine

    def write(self, engine: bytes, about: Mapping[str, Any] | None = None) -> None:
        """Keep ``engine``; a full or read-only disk only means that the next start compiles again."""
        header = asdict(self.key) | {"about": dict(about or {}), "sha256": hashlib.sha256(engine).hexdigest()}
        line = json.dumps(header).encode() + b"\n"
        try:
            if len(line) <= LONGEST_HEADER_BYTES:
                write_bytes(self.path, line + engine)
        except OSError:
            return

    def _trouble(self, header: Any, about: Any, engine: bytes) -> str:
        """What is wrong with a file that was read, in words; empty where nothing is."""
        wanted = asdict(self.key) | {"sha256": hashlib.sha256(engine).hexdigest()}
        if header == wanted and isinstance(about, dict):
            return ""
        if set(header) != set(wanted) or header["sha256"] != wanted["sha256"]:
            return "is damaged"
        for name, words in SAID_OF.items():
            if header[name] != wanted[name]:
                # digests tell a reader nothing
                values = "" if name == "model_sha256" else f" ({header[name]}, here it is {wanted[name]})"
                return f"was made for another {words}{values}"
        return "was made by another runtime"
