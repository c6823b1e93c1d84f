"""A space -> one archive of ONNX graphs, for devices without torch. Needs torch and onnx."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera import __version__
from ligera.errors import MissingExtra
from ligera.search.architecture import Architecture
from ligera.search.archive import ArchiveCard, CardRow, write_archive
from ligera.search.entry import Entry, Frame
from ligera.search.netting import distinct_nets
from ligera.search.precision import Precision
from ligera.search.space import Space

__all__ = ["SpaceReport", "Track", "export_space"]

Track = Callable[[Sequence[Any], str], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class SpaceReport:
    """What was written, and what the space's own filter left out with the reason."""

    path: Path
    size_bytes: int
    entries: int
    frames: int
    nets: int
    left_out: dict[str, str]


def export_space(
    space: Space,
    path: Path,
    *,
    source: Path | None = None,
    nets: int = 0,
    seed: int = 0,
    precision: Precision = "fp32",
    track: Track | None = None,
) -> SpaceReport:
    """Write every entry and frame of ``space`` and ``nets`` random whole nets to an archive at ``path``.

    ``source`` is the YAML file that the space is from, kept by its hash. ``MissingExtra`` without torch or onnx.
    """
    try:
        import onnx  # noqa: F401  the exporter wants it only at its very end

        from ligera.search import pieces
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train", "exporting a search space") from None
    entries, frames = space.entries(), space.frames()
    whole = distinct_nets(space, nets, np.random.default_rng(seed))
    card = ArchiveCard(
        ligera_version=__version__,
        space=space,
        precision=precision,
        source_sha256=hashlib.sha256(source.read_bytes()).hexdigest() if source else "",
        entries={
            entry.key: CardRow(file=f"entries/{i:05}.onnx", **asdict(pieces.cost_of(space, entry)))
            for i, entry in enumerate(entries)
        },
        frames={frame.key: f"frames/{i:05}.onnx" for i, frame in enumerate(frames)},
        nets={net.name: f"nets/{i:05}.onnx" for i, net in enumerate(whole)},
    )

    def graph(what: Entry | Frame | Architecture) -> tuple[str, bytes]:
        if isinstance(what, Entry):
            return card.entries[what.key].file, pieces.entry_graph(space, what, precision)
        if isinstance(what, Frame):
            return card.frames[what.key], pieces.frame_graph(what, precision)
        return card.nets[what.name], pieces.net_graph(what, precision)

    work: list[Any] = [*entries, *frames, *whole]
    followed = track(work, "exporting") if track else work
    write_archive(path, card, (graph(what) for what in followed))
    return SpaceReport(path, path.stat().st_size, len(entries), len(frames), len(whole), space.left_out())
