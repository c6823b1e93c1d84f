"""Crops of many pictures, in their order -> shards of one size; those that are there already are left alone.

In: crops and where in the whole they begin. Out: shard files, each written when its last crop has come. In memory is
one shard, and where they are written beside the work a second one, which waits for the disk.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from types import TracebackType

import numpy as np

from ligera.data.crops import SHARD, CropSet, write_crops
from ligera.deploy.mining.cutting import empty_crops

__all__ = ["ShardWriter", "remove_shards"]


def remove_shards(folder: Path) -> None:
    """Take away all shards: those of another plan."""
    for path in folder.iterdir():
        if SHARD.fullmatch(path.name):
            path.unlink()


class ShardWriter:
    """Writes ``crops`` crops to ``folder``, ``shard_crops`` to a shard; use it in a ``with`` block.

    ``beside``: in a thread of its own, as long as the next shard fills, so that workers do not wait for the disk. What
    goes wrong there is raised with the shard after, or at the end of the block.
    """

    def __init__(self, folder: Path, crops: int, shard_crops: int, side: int, *, beside: bool = False) -> None:
        self._folder, self._crops, self._shard_crops, self._side = folder, crops, shard_crops, side
        self.count = -(-crops // shard_crops)
        names = {path.name for path in folder.iterdir()}
        self.missing = {number for number in range(self.count) if f"shard-{number:05d}.npz" not in names}
        self._shard: CropSet | None = None
        self._thread = ThreadPoolExecutor(1, "ligera-shards") if beside else None
        self._writing: Future[Path] | None = None

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        if kind is None:
            self._wait()

    def wants(self, start: int, stop: int) -> bool:
        """Whether some of the crops from ``start`` up to ``stop`` belong to a shard that is not there."""
        if start >= stop:
            return False
        return any(n in self.missing for n in range(start // self._shard_crops, (stop - 1) // self._shard_crops + 1))

    def add(self, start: int, crops: CropSet) -> None:
        """Take ``crops``, which are those from ``start`` on. Parts are to come in order, those wanted all of them."""
        at = start
        while at < start + len(crops):
            number = at // self._shard_crops
            first = number * self._shard_crops
            end = min(first + self._shard_crops, self._crops)
            stop = min(start + len(crops), end)
            if number in self.missing:
                self._put(at - first, end - first, crops.take(slice(at - start, stop - start)))
                if stop == end:
                    self._write(number)
            at = stop

    def _put(self, place: int, size: int, crops: CropSet) -> None:
        if self._shard is None:
            self._shard = empty_crops(size, self._side)
        for field in fields(CropSet):
            np.copyto(getattr(self._shard, field.name)[place : place + len(crops)], getattr(crops, field.name))

    def _write(self, number: int) -> None:
        shard, self._shard = self._shard, None
        assert shard is not None
        self.missing.discard(number)
        if self._thread is None:
            write_crops(self._folder, number, shard)
            return
        self._wait()
        self._writing = self._thread.submit(write_crops, self._folder, number, shard)

    def _wait(self) -> None:
        """Until nothing is being written; raises what went wrong."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()
