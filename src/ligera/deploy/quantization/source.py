"""The fp32 bundle that a conversion starts from, and the converted one put on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ligera.deploy.builtin import builtin_path
from ligera.deploy.bundle import METADATA_KEY, BundleCard, card_from_metadata, write_bundle
from ligera.deploy.quantization.record import PRECISION_KEY, PrecisionRecord
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError, UsageError

__all__ = ["SourceBundle", "expect_onnx", "find_bundle", "read_source", "write_converted"]


@dataclass(frozen=True, slots=True)
class SourceBundle:
    """A bundle's file, bytes and card; ``other`` are the keys of its metadata beside the card, such as a cascade's."""

    path: Path
    content: bytes
    card: BundleCard
    other: Mapping[str, str]


def expect_onnx(out: Path) -> None:
    """Raise ``UsageError`` for a place to write to that is no file ending in ``.onnx``."""
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise UsageError(f"{out}: expected a file ending in .onnx to write to")


def find_bundle(model: str | Path) -> Path | None:
    """The file of the bundle ``model``, a path or a built-in name; ``None`` for what is no bundle by its name."""
    path = Path(model)
    if path.suffix.lower() == ".onnx":
        return path
    if path.exists() or len(path.parts) > 1:
        return None
    try:
        return builtin_path(str(model))
    except ModelError:
        return None


def read_source(model: str | Path) -> SourceBundle:
    """The bundle ``model``, a file or a built-in name.

    Raises ``ModelError`` for what is no bundle and ``UsageError`` for one that was converted before.
    """
    path = find_bundle(model) or builtin_path(str(model))
    runtime = OnnxRuntime(path, threads=1)
    metadata = dict(runtime.metadata)
    runtime.close()
    card = card_from_metadata(metadata, str(model))
    if card.precision != "fp32" or PRECISION_KEY in metadata:
        raise UsageError(f"{model}: is in {card.precision} already, and what it lost is lost; convert the fp32 bundle")
    other = {name: text for name, text in metadata.items() if name not in (METADATA_KEY, PRECISION_KEY)}
    return SourceBundle(path, path.read_bytes(), card, other)


def write_converted(
    path: Path, graph: bytes, card: BundleCard, record: PrecisionRecord, source: SourceBundle
) -> BundleCard:
    """Write ``graph`` with ``card``, ``record`` and all else that ``source`` says of itself; the card as written."""
    return write_bundle(graph, card, path, {**source.other, PRECISION_KEY: record.to_json()})
