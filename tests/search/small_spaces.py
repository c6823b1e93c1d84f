"""A space of a few blocks on pictures of 32 px, whose archive is made in a second, and tables of any content."""

from datetime import UTC, datetime
from typing import Any

from ligera.search.space import Space, parse_space
from ligera.search.table import Device, LatencyTable, Row, Settings

SMALL: dict[str, Any] = {
    "name": "small",
    "side_px": 64,
    "first_channels": 4,
    "stages": [
        {"channels": [4, 8], "slots": [["3x3_KKConv_Mid"]]},
        {"channels": [8], "slots": [["3x3_KKConv_Mid", "3x3_MBV1Conv", "5x5_MBV1Conv"], ["Zero", "3x3_KKConv_Mid"]]},
        {"channels": [8, 16], "slots": [["3x3_KKConv_Mid"], ["Zero", "3x3_MBV1Conv"]]},
        {"channels": [16], "slots": [["3x3_MBV1Conv"]]},
    ],
    "neck": {"stages": [2, 3, 4], "channels": 8, "context": "none", "prior_sizes": [[16], [64], [192]]},
}


def small_space(**changes: Any) -> Space:
    return parse_space(SMALL | changes, "small")


def row(latency_ms: float = 1.0, **changes: Any) -> Row:
    return Row(**({"latency_ms": latency_ms, "low_ms": latency_ms, "high_ms": latency_ms, "n": 50} | changes))


def table_of(space: Space, **changes: Any) -> LatencyTable:
    """Every entry of ``space`` takes a millisecond, unless ``rows`` says otherwise."""
    device = Device(processor="abacus", system="none", cores=2, threads=1, runtime="onnxruntime", runtime_version="1")
    values: dict[str, Any] = {
        "made_at": datetime(2026, 1, 1, tzinfo=UTC),
        "ligera_version": "0",
        "space": space,
        "device": device,
        "settings": Settings(),
        "rows": {entry.key: row() for entry in space.entries()},
    }
    return LatencyTable(**(values | changes))
