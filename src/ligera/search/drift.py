"""Is the machine as fast as when a table was made? Some of its entries, timed again beside whatever is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ligera.search.entry import Entry
from ligera.search.merging import merged
from ligera.search.table import LatencyTable
from ligera.search.timing import Turn

__all__ = ["drift", "references"]

REFERENCES = 24


def references(table: LatencyTable) -> tuple[Entry, ...]:
    """Up to 24 of the table's entries, from its slowest down."""
    entries = sorted(
        (entry for entry in table.space.entries() if entry.key in table.rows),
        key=lambda entry: -table.rows[entry.key].latency_ms,
    )
    return tuple(entries[:: max(1, len(entries) // (2 * REFERENCES))][:REFERENCES])


def drift(table: LatencyTable, turns: Mapping[str, Sequence[Turn]]) -> float | None:
    """The median of what entries take now, by their ``turns``, over what they took for ``table``; ``None`` for none."""
    then_ms = {key: row.latency_ms + row.frame_ms for key, row in table.rows.items()}
    ratios = [
        merged(own, table.settings).latency_ms / then_ms[key]
        for key, own in turns.items()
        if own and then_ms.get(key, 0) > 0
    ]
    return float(np.median(ratios)) if ratios else None
