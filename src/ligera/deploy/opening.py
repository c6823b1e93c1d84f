"""A bundle by name or file -> its network in a runtime, its card, and the engine that a detector's needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ligera.deploy.builtin import builtin_path
from ligera.deploy.bundle import BundleCard, Task, card_from_metadata
from ligera.deploy.cascade.engine import CascadeEngine, rule_from_metadata
from ligera.deploy.engine import BundleEngine, Engine
from ligera.deploy.layout.engine import LayoutEngine, layout_from_metadata
from ligera.deploy.peers import PEERS
from ligera.deploy.runtimes import Runtime, open_runtime
from ligera.errors import ModelError, nearest

__all__ = ["OpenedBundle", "open_bundle", "open_engine"]

KINDS: dict[Task, str] = {
    "detect-faces": "a face detector",
    "detect-regions": "a layout detector",
    "classify": "a classifier",
}
VERBS: dict[Task, str] = {
    "detect-faces": "ligera detect",
    "detect-regions": "ligera detect",
    "classify": "ligera classify",
}


@dataclass(frozen=True, slots=True)
class OpenedBundle:
    """A loaded network and what its file says of it."""

    runtime: Runtime
    card: BundleCard

    def expect(self, model: str | Path, *tasks: Task) -> None:
        """Raise ``ModelError`` that names the right verb, and close the network, where it is for none of ``tasks``."""
        own = self.card.task
        if own not in tasks:
            self.runtime.close()
            wanted = " or ".join(KINDS[task] for task in tasks)
            raise ModelError(f"{model}: is {KINDS[own]}, which runs with `{VERBS[own]}`; here {wanted} is needed")


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


def open_engine(runtime: Runtime, card: BundleCard) -> Engine:
    """The engine that a detector's bundle needs: MTCNN's and those of layouts say so in a key of their metadata.

    Raises ``ModelError``, and closes the network, where that key is damaged or not what the card's task needs.
    """
    try:
        cascade = rule_from_metadata(runtime.metadata, card.name)
        layout = layout_from_metadata(runtime.metadata, card.name)
        if (layout is None) != (card.task != "detect-regions") or (cascade and layout):
            raise ModelError(f"{card.name}: its metadata is not that of {KINDS[card.task]}; export the model again")
    except ModelError:
        runtime.close()
        raise
    if layout is not None:
        return LayoutEngine(runtime, card, layout)
    return BundleEngine(runtime, card) if cascade is None else CascadeEngine(runtime, card, cascade)


def _refuse_unknown_kind(model: str) -> None:
    """A misspelt ``KIND:FILE`` would otherwise be told that no such file is there. One letter is a Windows drive."""
    kind, colon, _ = model.partition(":")
    if colon and kind.isalnum() and len(kind) > 1 and not Path(model).exists():
        raise ModelError(f"{model}: no kind {kind!r} of detector{nearest(kind, PEERS)}; known: {', '.join(PEERS)}")
