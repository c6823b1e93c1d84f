"""The archive that ``ligera space export`` writes and ``ligera profile`` reads where there is no torch.

A zip file: ``card.json`` with the space and the counted costs of each entry, then one ONNX graph for each entry
(``entries/``), for each frame (``frames/``) and for each random whole net (``nets/``). Bytes depend on nothing but the
space and the numbers of nets and seed: no dates, no order of a dictionary.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from ligera.errors import DataError
from ligera.files import write_whole
from ligera.search.entry import Entry, Frame
from ligera.search.precision import Precision
from ligera.search.space import Space
from ligera.typed_yaml import Frozen

__all__ = ["ArchiveCard", "BlocksArchive", "CardRow", "Graphs", "open_archive", "write_archive"]

FORMAT = 1
CARD = "card.json"
MOST_CARD_BYTES = 2**26
MOST_GRAPH_BYTES = 2**31 - 1
EARLIEST = (1980, 1, 1, 0, 0, 0)
Graphs = Iterable[tuple[str, bytes]]


class CardRow(Frozen):
    """One entry: the file of its graph and what was counted (see ``table.Row``)."""

    file: str
    macs: int = Field(ge=0)
    activations: int = Field(ge=0)
    parameters: int = Field(ge=0)
    memory_bytes: int = Field(ge=0)


class ArchiveCard(Frozen):
    """What an archive holds. ``source_sha256`` is of the YAML file that the space was read from."""

    kind: Literal["ligera-blocks"] = "ligera-blocks"
    format: Literal[1] = FORMAT
    ligera_version: str
    space: Space
    precision: Precision = "fp32"
    source_sha256: str = ""
    entries: dict[str, CardRow]
    frames: dict[str, str]
    nets: dict[str, str] = Field(default_factory=dict)


class BlocksArchive:
    """An open archive; ``card`` says what is in it. Use ``open_archive``."""

    def __init__(self, path: Path, file: zipfile.ZipFile, card: ArchiveCard) -> None:
        self.path, self.card = path, card
        self._file = file

    @property
    def space(self) -> Space:
        return self.card.space

    @property
    def precision(self) -> Precision:
        return self.card.precision

    @property
    def nets(self) -> tuple[str, ...]:
        """Names of the whole nets in it."""
        return tuple(self.card.nets)

    def entry(self, entry: Entry) -> bytes:
        """The graph of ``entry``; ``DataError`` where the archive has none."""
        row = self.card.entries.get(entry.key)
        return self._read(row.file if row else None, entry.key)

    def frame(self, frame: Frame) -> bytes:
        return self._read(self.card.frames.get(frame.key), frame.key)

    def net(self, name: str) -> bytes:
        return self._read(self.card.nets.get(name), name)

    def cost(self, entry: Entry) -> Mapping[str, int]:
        """``macs, activations, parameters, memory_bytes`` of ``entry``."""
        return self.card.entries[entry.key].model_dump(exclude={"file"})

    def _read(self, name: str | None, key: str) -> bytes:
        try:
            info = self._file.getinfo(name or "")
            if info.file_size > MOST_GRAPH_BYTES:
                raise DataError(f"{self.path}: {key} is larger than an ONNX file may be")
            return self._file.read(info)
        except KeyError:
            raise DataError(f"{self.path}: has no {key}; write the archive anew with `ligera space export`") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{self.path}: {key} is damaged ({error}); copy the archive again") from None


@contextmanager
def open_archive(path: Path) -> Iterator[BlocksArchive]:
    """The archive at ``path``; ``DataError`` for anything else, in one line."""
    try:
        file = zipfile.ZipFile(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    except (zipfile.BadZipFile, ValueError):
        raise DataError(f"{path}: no archive of blocks; write one with `ligera space export`") from None
    with file:
        yield BlocksArchive(path, file, _card(path, file))


def write_archive(path: Path, card: ArchiveCard, graphs: Graphs) -> None:
    """Write ``card`` and ``graphs`` (file, bytes) to ``path``, whole or not at all; graphs may come one at a time."""

    def fill(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
            _add(file, CARD, json.dumps(card.model_dump(mode="json"), indent=1).encode())
            for name, content in graphs:
                _add(file, name, content)

    write_whole(path, fill)


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, EARLIEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o644 << 16
    file.writestr(info, content, compresslevel=9)


def _card(path: Path, file: zipfile.ZipFile) -> ArchiveCard:
    try:
        info = file.getinfo(CARD)
        if info.file_size > MOST_CARD_BYTES:
            raise DataError(f"{path}: its card is too large to be one that `ligera space export` wrote")
        values: Any = json.loads(file.read(info))
    except KeyError:
        raise DataError(f"{path}: a zip file, but no archive of blocks (it has no {CARD})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RecursionError, NotImplementedError):
        raise DataError(f"{path}: its card is damaged; copy the archive again") from None
    version = values.get("format") if isinstance(values, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise DataError(f"{path}: is an archive of format {version}, this Ligera reads up to {FORMAT}; update Ligera")
    try:
        return ArchiveCard.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:120] or "card"
        raise DataError(f"{path}: its card is damaged ({place}: {first['msg']})") from None
