"""Where the graphs of a space come from: an archive, one that ships with Ligera, or torch on the spot.

A standard space (``recipes/spaces/tiny.yaml``) is known by the hash of its file, so that it needs neither torch nor a
reader of YAML.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ligera.errors import DataError, MissingExtra
from ligera.search.archive import BlocksArchive, open_archive
from ligera.search.profiling import Track, untracked
from ligera.search.space import read_space

__all__ = ["SHIPPED", "open_blocks"]

SHIPPED = Path(__file__).parent / "shipped"


@contextmanager
def open_blocks(source: Path, *, track: Track = untracked) -> Iterator[BlocksArchive]:
    """The blocks of an archive or of a space in YAML.

    Raises ``DataError`` for a file that is neither, ``RecipeError`` for a wrong space, ``MissingExtra`` where its
    blocks would have to be built and torch is not there.
    """
    if not source.is_file():
        raise DataError(f"{source}: no such file; give a search space (YAML), or an archive of `ligera space export`")
    if zipfile.is_zipfile(source):
        with open_archive(source) as archive:
            yield archive
        return
    shipped = _shipped(source)
    if shipped is not None:
        with open_archive(shipped) as archive:
            yield archive
        return
    if importlib.util.find_spec("torch") is None:
        purpose = f"building the blocks of {source} (or give the archive that `ligera space export` wrote elsewhere)"
        raise MissingExtra("torch", "train", purpose)
    from ligera.search.exporting import export_space

    with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
        path = Path(folder) / "blocks.zip"
        export_space(read_space(source), path, source=source, track=track)
        with open_archive(path) as archive:
            yield archive


def _shipped(source: Path) -> Path | None:
    """The archive that ships for exactly this file."""
    try:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    for path in sorted(SHIPPED.glob("*.zip")):
        with open_archive(path) as archive:
            if archive.card.source_sha256 == digest:
                return path
    return None
