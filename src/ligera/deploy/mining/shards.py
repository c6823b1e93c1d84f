"""Crops of many pictures, in their order -> shards of one size; those that are there already are left alone.

In: crops and where in the whole they begin. Out: shard files, each written when its last crop has come. In memory is
one shard.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

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
    """Writes ``crops`` crops to ``folder``, ``shard_crops`` to a shard."""

    def __init__(self, folder: Path, crops: int, shard_crops: int, side: int) -> None:
        self._folder, self._crops, self._shard_crops, self._side = folder, crops, shard_crops, side
        self.count = -(-crops // shard_crops)
        names = {path.name for path in folder.iterdir()}
        self.missing = {number for number in range(self.count) if f"shard-{number:05d}.npz" not in names}
        self._shard: CropSet | None = None

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
        assert self._shard is not None
        write_crops(self._folder, number, self._shard)
        self._shard = None
        self.missing.discard(number)
