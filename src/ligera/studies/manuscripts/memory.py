"""Peak memory of a training: the card's where one was used, or else of the process, which says which."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ligera.errors import DataError
from ligera.meter import Cost

__all__ = ["Memory", "peak_memory"]

MIB = 2**20
BYTES_PER_MB = 1e6


@dataclass(frozen=True, slots=True)
class Memory:
    """``of`` is ``GPU`` or ``host``; ``mib`` is ``None`` where nobody says."""

    mib: float | None
    of: str


def peak_memory(place: Path, cost: Cost) -> Memory:
    """Of the run in the folder ``place``: on a card all that anyone held on the fullest that its meter saw, unknown
    where the meter saw none; without a card what the run's processes held."""
    try:
        on_card = str(json.loads((place / "environment.json").read_text())["device"]).startswith("cuda")
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{place}: does not say on what it ran (environment.json); remove it to train it anew"
        ) from None
    cards = [figures["memory_peak_mb"].value for figures in cost.devices.values() if "memory_peak_mb" in figures]
    known = [value for value in cards if value is not None]
    if on_card:
        return Memory(max(known) * BYTES_PER_MB / MIB if known else None, "GPU")
    resident = cost.figures["peak_rss_mb"].value
    return Memory(None if resident is None else resident * BYTES_PER_MB / MIB, "host")
