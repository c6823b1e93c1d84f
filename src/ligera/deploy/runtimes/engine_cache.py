"""Compiled networks kept beside their bundle, so that a start need not compile again.

In: a bundle's path and what its engine was made by and for. Out: the engine's bytes, or ``None`` where none fits. A
file opens with one line of JSON that says for which network, runtime, device and precision it is, and the digest of
what follows: one that is damaged, or made elsewhere, is as good as none and is replaced. What cannot be kept is not.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import ligera
from ligera.files import write_bytes

__all__ = ["EngineCache", "EngineKey", "cache_folder"]

LONGEST_HEADER_BYTES = 4096


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
    """The place of one engine. Beside the bundle, or in the user's cache for bundles of the package itself."""

    def __init__(self, model: Path, key: EngineKey) -> None:
        self.key = key
        ours = Path(ligera.__path__[0]).resolve() in model.resolve().parents
        folder = cache_folder() / "engines" if ours or not os.access(model.parent, os.W_OK) else model.parent
        self.path = folder / f"{model.stem}.{key.runtime}-{key.version}-{key.precision}.engine"

    def read(self) -> bytes | None:
        """The engine, or ``None`` where there is none, a damaged one or one for something else."""
        try:
            with self.path.open("rb") as file:
                header = json.loads(file.readline(LONGEST_HEADER_BYTES))
                engine = file.read()
        except (OSError, ValueError, RecursionError):
            return None
        wanted = asdict(self.key) | {"sha256": hashlib.sha256(engine).hexdigest()}
        return engine if header == wanted else None

    def write(self, engine: bytes) -> None:
        """Keep ``engine``; a full or read-only disk only means that the next start compiles again."""
        header = asdict(self.key) | {"sha256": hashlib.sha256(engine).hexdigest()}
        try:
            write_bytes(self.path, json.dumps(header).encode() + b"\n" + engine)
        except OSError:
            return
