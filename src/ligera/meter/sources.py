"""All that the meter asks, in one record, so that tests can put anything in a machine's place.

``find_sources`` looks at this machine; ``power_sources`` says in words which of its power can be known, and how.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ligera.meter.clock import Clock, SystemClock
from ligera.meter.estimate import CpuEstimate, estimate_for
from ligera.meter.hardware import available_threads, processor_name
from ligera.meter.nvml import Cards, load_nvml
from ligera.meter.processes import ProcessTree, Usage
from ligera.meter.rapl import POWERCAP, Rapl

__all__ = ["PowerSource", "Processes", "Sources", "find_sources", "power_sources"]


class Processes(Protocol):
    """CPU time and memory of what is metered; see ``ProcessTree``."""

    note: str

    def read(self, *, thorough: bool = True) -> Usage: ...

    def high_water_mb(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """``host`` tells machines apart, ``processor`` is its name, ``threads`` those this process may use."""

    clock: Clock
    processes: Processes
    rapl: Rapl
    cards: Cards
    estimate: CpuEstimate
    host: str
    processor: str
    threads: int

    def close(self) -> None:
        self.cards.close()


@dataclass(frozen=True, slots=True)
class PowerSource:
    """One way to know power here: what it covers, whether it works, and how or why not."""

    name: str
    works: bool
    detail: str


def find_sources(
    gpus: Sequence[str | int] | None = None,
    *,
    rapl_root: Path = POWERCAP,
    nvml: Any | None = None,
    clock: Clock | None = None,
    processes: Processes | None = None,
) -> Sources:
    """What this machine has. ``gpus`` are those the work runs on, by UUID or NVML's number: ``()`` for a run on the
    CPU, ``None`` for all that ``CUDA_VISIBLE_DEVICES`` leaves visible. Raises ``UsageError`` for one not there.
    """
    processor = processor_name()
    return Sources(
        clock=clock or SystemClock(),
        processes=processes or ProcessTree(),
        rapl=Rapl(rapl_root),
        cards=Cards(nvml if nvml is not None else load_nvml(), gpus),
        estimate=estimate_for(processor),
        host=platform.node() or "this machine",
        processor=processor,
        threads=available_threads(),
    )


def power_sources(sources: Sources | None = None) -> tuple[PowerSource, ...]:
    """Which power sources work here: the processor's counters, the estimate that stands in, NVIDIA's cards."""
    found = sources or find_sources()
    try:
        rapl, cards = found.rapl, found.cards
        counters = ", ".join(zone.name for zone in rapl.zones)
        rows = [PowerSource("processor, measured (RAPL)", bool(rapl.zones), rapl.trouble or counters)]
        if not rapl.zones:
            rows.append(PowerSource("processor, estimated", True, found.estimate.how))
        ways = [
            f"{card.name} ({_ways(reading.joules, reading.watts)})"
            for card, reading in zip(cards.cards, cards.read(), strict=True)
        ]
        detail = cards.trouble or "; ".join(ways) or "no NVIDIA card found"
        works = any(reading.watts is not None or reading.joules is not None for reading in cards.read())
        rows.append(PowerSource("NVIDIA cards, measured (NVML)", works, detail))
        return tuple(rows)
    finally:
        if sources is None:
            found.close()


def _ways(joules: float | None, watts: float | None) -> str:
    ways = [name for name, value in (("energy counter", joules), ("power", watts)) if value is not None]
    return " and ".join(ways) or "gives no power"
