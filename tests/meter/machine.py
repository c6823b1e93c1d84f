"""A machine that plays back a recorded trace: its clock, counters, cards and processes say what the trace says.

Power is linear between the knots of a ``Trace``, so the energy between any two moments is known exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ligera.meter import Cost, Meter
from ligera.meter.estimate import CpuEstimate
from ligera.meter.nvml import Cards
from ligera.meter.processes import Usage
from ligera.meter.rapl import Rapl
from ligera.meter.sources import Sources

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Trace:
    """Watts at moments (s), linear between them and level outside."""

    times_s: Sequence[float]
    watts: Sequence[float]

    def at(self, at_s: float) -> float:
        return float(np.interp(at_s, self.times_s, self.watts))

    def joules(self, start_s: float, end_s: float) -> float:
        """The exact integral."""
        inner = [t for t in self.times_s if start_s < t < end_s]
        points = [start_s, *inner, end_s]
        values = [self.at(t) for t in points]
        return float(
            sum((b - a) * (v + w) / 2 for a, b, v, w in zip(points, points[1:], values, values[1:], strict=False))
        )


def level(watts: float) -> Trace:
    return Trace([0.0], [watts])


@dataclass
class PlayedClock:
    start: datetime = START
    at_s: float = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.at_s

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.at_s)


@dataclass
class PlayedProcesses:
    """``busy_cores`` of work all the time."""

    clock: PlayedClock
    busy_cores: float = 1.0
    rss_mb: float | None = 500.0
    note: str = ""
    after_read: Callable[[], None] = lambda: None

    def read(self, *, thorough: bool = True) -> Usage:
        self.after_read()
        return Usage(77.0 + self.busy_cores * self.clock.at_s, self.rss_mb)

    def high_water_mb(self) -> float | None:
        return 10.0


@dataclass
class PlayedCard:
    """One card; ``counter_scale`` other than 1 is a counter that disagrees, ``None`` a card that has none."""

    trace: Trace
    uuid: str = "GPU-aaaa-0001"
    name: str = "Played Card"
    counter_scale: float | None = 1.0
    has_power: bool = True
    lost_at_s: float = float("inf")
    failing_s: tuple[float, float] = (-1.0, -1.0)
    memory_mb: Callable[[float], float] = lambda _at_s: 4000.0
    utilisation: Callable[[float], float] = lambda _at_s: 50.0


class PlayedNvml:
    """Stands in for the module ``pynvml``."""

    class NVMLError(Exception):
        pass

    def __init__(self, clock: PlayedClock, cards: Sequence[PlayedCard], *, starts: bool = True) -> None:
        self.clock, self.cards, self.starts = clock, list(cards), starts
        self.opened = 0

    def nvmlInit(self) -> None:
        if not self.starts:
            raise self.NVMLError("Driver/library version mismatch")
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> PlayedCard:
        return self.cards[index]

    def nvmlDeviceGetUUID(self, card: PlayedCard) -> bytes:
        return card.uuid.encode()

    def nvmlDeviceGetName(self, card: PlayedCard) -> str:
        return card.name

    def nvmlDeviceGetPowerUsage(self, card: PlayedCard) -> int:
        return round(1e3 * card.trace.at(self._at(card, card.has_power)))

    def nvmlDeviceGetTotalEnergyConsumption(self, card: PlayedCard) -> int:
        at_s = self._at(card, card.counter_scale is not None)
        return 5_000_000 + round(1e3 * (card.counter_scale or 0.0) * card.trace.joules(0.0, at_s))

    def nvmlDeviceGetMemoryInfo(self, card: PlayedCard) -> Any:
        return SimpleNamespace(used=1e6 * card.memory_mb(self._at(card)), total=8e10)

    def nvmlDeviceGetUtilizationRates(self, card: PlayedCard) -> Any:
        return SimpleNamespace(gpu=card.utilisation(self._at(card)))

    def _at(self, card: PlayedCard, supported: bool = True) -> float:
        at_s = self.clock.at_s
        if not supported:
            raise self.NVMLError("Not Supported")
        if at_s >= card.lost_at_s or card.failing_s[0] <= at_s < card.failing_s[1]:
            raise self.NVMLError("GPU is lost")
        return at_s


@dataclass
class PlayedPackage:
    """A processor package under ``root``, its counter in steps of 1 uJ, wrapping at ``range_j``."""

    root: Path
    clock: PlayedClock
    trace: Trace
    folder: str = "intel-rapl:0"
    name: str = "package-0"
    range_j: float = 262143.32885
    start_j: float = 1234.5

    def __post_init__(self) -> None:
        path = self.root / self.folder
        path.mkdir(parents=True, exist_ok=True)
        (path / "name").write_text(f"{self.name}\n")
        (path / "max_energy_range_uj").write_text(f"{round(self.range_j * 1e6)}\n")
        (path / "energy_uj").touch()
        self.play()

    def play(self) -> None:
        counted = self.start_j + self.trace.joules(0.0, self.clock.at_s)
        # in place, as file systems take their time over files that are emptied and written anew
        with (self.root / self.folder / "energy_uj").open("r+") as file:
            file.write(f"{round(counted % self.range_j * 1e6):<24}\n")


@dataclass
class Machine:
    """All of it; ``advance`` lets time pass. Its processor is estimated at 2 W for each busy thread."""

    root: Path
    cards: Sequence[PlayedCard] = ()
    packages: Sequence[Callable[[Path, PlayedClock], PlayedPackage]] = ()
    zone: tzinfo = UTC
    host: str = "played"
    clock: PlayedClock = field(init=False)
    processes: PlayedProcesses = field(init=False)
    nvml: PlayedNvml = field(init=False)

    def __post_init__(self) -> None:
        self.clock = PlayedClock(START.astimezone(self.zone))
        self.processes = PlayedProcesses(self.clock)
        self.nvml = PlayedNvml(self.clock, self.cards)
        self._packages = [make(self.root, self.clock) for make in self.packages]

    def sources(self, **changes: Any) -> Sources:
        made = Sources(
            clock=self.clock,
            processes=self.processes,
            rapl=Rapl(self.root),
            cards=Cards(self.nvml if self.cards else None, environment={}, traces=()),
            estimate=CpuEstimate(2.0, (1.0, 4.0), "CPU seconds x 2.00 W"),
            host=self.host,
            processor="Played CPU",
            threads=4,
        )
        return dataclasses.replace(made, **changes)

    def advance(self, seconds: float) -> None:
        self.clock.at_s += seconds
        for package in self._packages:
            package.play()


def metered(machine: Machine, gaps_s: list[float], path: Path | None = None, **options: object) -> Cost:
    """A run on ``machine`` that was sampled after each gap."""
    with Meter(path, sources=machine.sources(), background=False, **options) as meter:  # type: ignore[arg-type]
        for gap_s in gaps_s:
            machine.advance(gap_s)
            meter.sample()
    return meter.cost()
