"""Models that come with the package: a name and an ONNX bundle of that name in ``models/weights``."""

from __future__ import annotations

from pathlib import Path

import ligera.models
from ligera.errors import ModelError, nearest

__all__ = ["builtin_names", "builtin_path"]


def _folder() -> Path:
    return Path(ligera.models.__path__[0]) / "weights"


def builtin_names() -> tuple[str, ...]:
    """Names of the bundles in this installation, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.onnx")))


def builtin_path(name: str) -> Path:
    """The bundle called ``name``; ``ModelError`` listing what there is when there is none."""
    names = builtin_names()
    if name not in names:
        there = f"built in: {', '.join(names)}" if names else "this installation has no built-in models"
        raise ModelError(f"{name!r}: no such file and no built-in model{nearest(name, names)}; {there}")
    return _folder() / f"{name}.onnx"
