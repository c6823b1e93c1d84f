"""A bundle by name or file -> its network in a runtime, and its card: what detectors and classifiers start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ligera.deploy.builtin import builtin_path
from ligera.deploy.bundle import BundleCard, Task, card_from_metadata
from ligera.deploy.peers import PEERS
from ligera.deploy.runtimes import Runtime, open_runtime
from ligera.errors import ModelError, nearest

__all__ = ["OpenedBundle", "open_bundle"]

KINDS = {"detect-faces": "a face detector", "classify": "a classifier"}
VERBS = {"detect-faces": "ligera detect", "classify": "ligera classify"}


@dataclass(frozen=True, slots=True)
class OpenedBundle:
    """A loaded network and what its file says of it."""

    runtime: Runtime
    card: BundleCard

    def expect(self, task: Task, model: str | Path) -> None:
        """Raise ``ModelError`` that names the right verb, and close the network, where it is one for another task."""
        if self.card.task != task:
            self.runtime.close()
            own = self.card.task
            raise ModelError(f"{model}: is {KINDS[own]}, which runs with `{VERBS[own]}`; here {KINDS[task]} is needed")


def open_bundle(model: str | Path, *, threads: int | None = None, runtime: str = "onnxruntime") -> OpenedBundle:
    """The bundle ``model``, a built-in name or the path of a file.

    Raises ``ModelError`` for an unknown name or a file that is no bundle, ``UsageError`` for an unknown runtime.
    """
    _refuse_unknown_kind(str(model))
    path = Path(model)
    looks_like_a_file = path.suffix.lower() == ".onnx" or len(path.parts) > 1 or path.is_file()
    if not looks_like_a_file:
        path = builtin_path(str(model))
    opened = open_runtime(path, runtime=runtime, threads=threads)
    return OpenedBundle(opened, card_from_metadata(opened.metadata, str(path)))


def _refuse_unknown_kind(model: str) -> None:
    """A misspelt ``KIND:FILE`` would otherwise be told that no such file is there. One letter is a Windows drive."""
    kind, colon, _ = model.partition(":")
    if colon and kind.isalnum() and len(kind) > 1 and not Path(model).exists():
        raise ModelError(f"{model}: no kind {kind!r} of detector{nearest(kind, PEERS)}; known: {', '.join(PEERS)}")
