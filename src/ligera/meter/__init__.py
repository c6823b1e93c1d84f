"""A piece of work -> milliseconds, megabytes, joules, euros; every figure measured, estimated or unknown.

from ligera.meter import Meter
with Meter(folder / "cost.json") as meter, meter.phase("train"): ...
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ligera.meter.cost import Cost, read_cost
    from ligera.meter.figure import Figure
    from ligera.meter.session import Meter
    from ligera.meter.sources import find_sources
    from ligera.meter.tariff import Tariff

__all__ = ["Cost", "Figure", "Meter", "Tariff", "find_sources", "read_cost"]

PLACES = {
    "Cost": "cost",
    "Figure": "figure",
    "Meter": "session",
    "Tariff": "tariff",
    "find_sources": "sources",
    "read_cost": "cost",
}


def __getattr__(name: str) -> Any:
    # on demand: a detection asks this room for the number of cores alone
    if name in PLACES:
        return getattr(importlib.import_module(f"ligera.meter.{PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
