"""Packages that only a peer needs: no extra of ours brings them, so their error says how to get them."""

from __future__ import annotations

from ligera.errors import LigeraError, MissingExtra

__all__ = ["MissingPackage"]


class MissingPackage(MissingExtra):
    """A package of another maker that this installation lacks."""

    def __init__(self, package: str, purpose: str, install: str) -> None:
        LigeraError.__init__(self, f"{purpose} needs {package}, which is not installed; run: {install}")
