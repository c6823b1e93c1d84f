"""A latency table without a device: times estimated from multiply-adds and activations, for trials and for tests.

It ranks blocks as a small processor roughly would and is no measurement of any: its device says so, and so must
whatever quotes it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ligera import __version__
from ligera.search.pieces import cost_of
from ligera.search.space import Space
from ligera.search.table import Device, LatencyTable, Row, Settings

__all__ = ["ESTIMATED", "estimated_table"]

ESTIMATED = "estimated from multiply-adds and activations"
MS_PER_MAC = 1 / 20e6
MS_PER_ACTIVATION = 1 / 2e6
MS_PER_ENTRY = 0.01


def estimated_table(space: Space) -> LatencyTable:
    """A complete table of ``space``: 20 million multiply-adds or 2 million activations a ms, 0.01 ms an entry."""
    rows = {}
    for entry in space.entries():
        cost = cost_of(space, entry)
        latency_ms = MS_PER_ENTRY + cost.macs * MS_PER_MAC + cost.activations * MS_PER_ACTIVATION
        rows[entry.key] = Row(
            latency_ms=latency_ms,
            low_ms=latency_ms,
            high_ms=latency_ms,
            n=1,
            macs=cost.macs,
            activations=cost.activations,
            parameters=cost.parameters,
            memory_bytes=cost.memory_bytes,
        )
    device = Device(
        processor=ESTIMATED, system="no device", cores=1, threads=1, runtime="estimate", runtime_version=__version__
    )
    return LatencyTable(
        made_at=datetime.now(UTC),
        ligera_version=__version__,
        space=space,
        device=device,
        settings=Settings(),
        rows=rows,
        noise=(f"every time is {ESTIMATED}, none is measured",),
    )
