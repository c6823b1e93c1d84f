"""Who is chosen when there are too many: a reservoir that depends on names and the seed, never on order or engine.

Every candidate of every picture has a key of 64 bits that follows from the seed, the picture's name and the candidate's
place in it. The smallest keys are chosen: the same ones whoever made them, when, and in which order. One number, the
largest key chosen, says which those are; whether a candidate is chosen can then be told without looking at any other.
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["Reservoir", "chosen", "keys_of", "name_number", "smallest"]

NOBODY = -1


def name_number(name: str) -> int:
    """A number of 128 bits for a name, as entropy."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:16])


def keys_of(seed: int, name: str, purpose: int, count: int) -> np.ndarray:
    """``(count,)`` uint64; different ones for each ``purpose``."""
    return np.random.PCG64([seed, name_number(name), purpose]).random_raw(count)


def smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """Places of the ``count`` smallest keys, in order of place."""
    if len(keys) <= count:
        return np.arange(len(keys))
    return np.sort(np.argsort(keys, kind="stable")[:count])


def chosen(keys: np.ndarray, threshold: int) -> np.ndarray:
    """Which keys a reservoir with that ``threshold`` has kept, ``(N,)`` bool."""
    if threshold == NOBODY:
        return np.zeros(len(keys), bool)
    return keys <= np.uint64(threshold)


class Reservoir:
    """Takes keys in any order and knows the ``room`` smallest, in memory for a few times as many."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._parts: list[np.ndarray] = []
        self._held = 0

    def add(self, keys: np.ndarray) -> None:
        if self._room and len(keys):
            self._parts.append(keys)
            self._held += len(keys)
            if self._held > 2 * self._room + (1 << 16):
                self._settle()

    def threshold(self) -> int:
        """The largest key kept, -1 where there is no room for any."""
        self._settle()
        return int(self._parts[0].max()) if self._held else NOBODY

    def _settle(self) -> None:
        keys = np.concatenate(self._parts) if self._parts else np.zeros(0, np.uint64)
        if len(keys) > self._room:
            keys = np.partition(keys, self._room - 1)[: self._room] if self._room else keys[:0]
        self._parts, self._held = [keys], len(keys)
