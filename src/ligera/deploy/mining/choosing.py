"""Which candidates become crops: a balanced set, the same whoever mined and in which order (``keys``).

In: the progress record. Out: a :class:`Plan`, with a key threshold for each kind and each picture's number of crops.
Only the record is looked at, no picture and none of their files; in memory are numbers for each picture and the keys
of each kind's reservoir.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ligera.data.crops import KINDS
from ligera.deploy.mining.keys import Reservoir, chosen, keys_of
from ligera.deploy.mining.settings import MineSettings

__all__ = ["Plan", "candidate_keys", "plan_crops", "wanted_counts"]

CHOICE_PURPOSE, ORDER_PURPOSE = 3, 4

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """``thresholds``, one for each of ``KINDS``; ``order``, the pictures' places as they follow in the shards;
    ``ends``, how many crops there are up to and with each of those. ``digest`` tells one plan from another."""

    thresholds: tuple[int, ...]
    counts: tuple[int, ...]
    order: tuple[int, ...]
    ends: np.ndarray
    digest: str

    @property
    def crops(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0


def candidate_keys(settings: MineSettings, name: str, kept: Sequence[int]) -> np.ndarray:
    """Keys of a picture's candidates, of which there are ``kept`` of each kind, in their order."""
    return keys_of(settings.seed, name, CHOICE_PURPOSE, sum(kept))


def wanted_counts(found: Sequence[int], settings: MineSettings) -> tuple[int, ...]:
    """How many of each kind: by the ratio to the positives, within the limit, and no more than there are."""
    shares = settings.shares
    positive = KINDS.index("positive")
    unit = min(found[positive] / shares[positive], settings.most_crops / sum(shares))
    return tuple(min(have, int(unit * share)) for have, share in zip(found, shares, strict=True))


def plan_crops(names: Sequence[str], row_of: Callable[[str], Row], settings: MineSettings) -> Plan:
    """The plan for the pictures called ``names``, whose rows ``row_of`` gives, in whatever order."""
    rows = [(row["kept"], row["sha256"]) for row in map(row_of, names)]
    kept = np.array([row[0] for row in rows], np.int64).reshape(-1, len(KINDS))
    wanted = wanted_counts(kept.sum(axis=0).tolist(), settings)
    thresholds = _thresholds(names, kept, wanted, settings)
    taken = np.array([_taken(name, row, thresholds, settings) for name, row in zip(names, kept, strict=True)])
    taken = taken.reshape(-1, len(KINDS))
    orders = [int(keys_of(settings.seed, name, ORDER_PURPOSE, 1)[0]) for name in names]
    order = sorted(range(len(names)), key=lambda place: (orders[place], names[place]))
    digest = hashlib.sha256(json.dumps([list(map(str, thresholds)), settings.shard_crops]).encode())
    for place in order:
        digest.update(json.dumps([names[place], rows[place][1]]).encode())
    ends = np.cumsum(taken.sum(axis=1)[order])
    return Plan(thresholds, tuple(taken.sum(axis=0).tolist()), tuple(order), ends, digest.hexdigest())


def _thresholds(
    names: Sequence[str], kept: np.ndarray, wanted: Sequence[int], settings: MineSettings
) -> tuple[int, ...]:
    reservoirs = [Reservoir(room) for room in wanted]
    for name, row in zip(names, kept, strict=True):
        for reservoir, own in zip(reservoirs, _keys_by_kind(name, row, settings), strict=True):
            reservoir.add(own)
    return tuple(reservoir.threshold() for reservoir in reservoirs)


def _keys_by_kind(name: str, kept: np.ndarray, settings: MineSettings) -> list[np.ndarray]:
    return np.split(candidate_keys(settings, name, kept.tolist()), np.cumsum(kept)[:-1])


def _taken(name: str, kept: np.ndarray, thresholds: Sequence[int], settings: MineSettings) -> list[int]:
    """How many of each kind a picture gives."""
    parts = _keys_by_kind(name, kept, settings)
    return [int(chosen(part, threshold).sum()) for part, threshold in zip(parts, thresholds, strict=True)]
