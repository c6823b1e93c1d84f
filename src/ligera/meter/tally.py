"""What one leg has used so far: readings in, one at a time, a ``Leg`` for the record out.

Each sample covers the time since the one before; what it adds is shared among the phases by their part of that time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ligera.meter.clock import shares_by_quarter
from ligera.meter.devices import disagreements
from ligera.meter.integrals import CounterIntegral, PowerIntegral, Stretch
from ligera.meter.nvml import Card, CardReading
from ligera.meter.phases import OUTSIDE, PhaseClock
from ligera.meter.processes import Usage
from ligera.meter.record import Energy, GpuUse, Leg, Machine, PhaseUse
from ligera.meter.sources import Sources

__all__ = ["Tally"]

STILL_S = 10.0
# New children are searched for at every so many samples; what they used until found counts then.
SEARCH_EVERY = 5
WHOLE_PACKAGE = "RAPL counter of the whole package, other programs on it included"
WHOLE_CARD = "whole card, other programs on it included"


@dataclass(slots=True)
class _Flow:
    """Energy of one device in one way."""

    device: str
    name: str
    way: Literal["counter", "power", "estimate"]
    shared: bool
    note: str
    integral: CounterIntegral | PowerIntegral | None = None
    joules: float = 0.0
    covered_s: float = 0.0
    by_quarter: dict[datetime, float] = field(default_factory=dict)
    by_phase: dict[str, float] = field(default_factory=dict)
    n: int = 0

    def add(self, stretch: Stretch | None, now: datetime, phases: Mapping[str, float]) -> None:
        if stretch is None:
            return
        self.joules += stretch.joules
        self.covered_s += stretch.seconds
        self.n += 1
        for quarter, share in shares_by_quarter(now, stretch.seconds).items():
            self.by_quarter[quarter] = self.by_quarter.get(quarter, 0.0) + share * stretch.joules
        for phase, share in phases.items():
            self.by_phase[phase] = self.by_phase.get(phase, 0.0) + share * stretch.joules

    def record(self, range_j: tuple[float, float] | None = None) -> Energy:
        # hardware that counts nothing for so long stands still; that it uses nothing is not known
        still = self.way != "estimate" and not self.joules and self.covered_s >= STILL_S
        n = 0 if still else self.n
        return Energy(
            device=self.device,
            name=self.name,
            way=self.way,
            shared=self.shared,
            joules=self.joules if n else None,
            range_j=range_j,
            covered_s=self.covered_s,
            by_quarter=dict(self.by_quarter),
            by_phase=dict(self.by_phase),
            n=n,
            note=self.note,
        )


@dataclass(slots=True)
class _CardUse:
    """Memory and utilisation of one card, and its energy in both ways."""

    card: Card
    counter: _Flow
    power: _Flow
    peak_mb: float | None = None
    memory_mb_s: float = 0.0
    busy_s: float = 0.0
    memory_s: float = 0.0
    utilisation_s: float = 0.0
    n: int = 0

    def add(self, reading: CardReading, seconds: float) -> None:
        self.n += reading.memory_mb is not None or reading.utilisation is not None
        if reading.memory_mb is not None:
            self.peak_mb = max(self.peak_mb or 0.0, reading.memory_mb)
            self.memory_mb_s += reading.memory_mb * seconds
            self.memory_s += seconds
        if reading.utilisation is not None:
            self.busy_s += reading.utilisation * seconds
            self.utilisation_s += seconds

    def record(self) -> GpuUse:
        return GpuUse(
            device=self.card.uuid,
            name=self.card.name,
            memory_peak_mb=self.peak_mb,
            memory_mean_mb=self.memory_mb_s / self.memory_s if self.memory_s else self.peak_mb,
            utilisation_mean=self.busy_s / self.utilisation_s if self.utilisation_s else None,
            seen_s=max(self.memory_s, self.utilisation_s),
            n=self.n,
        )


class Tally:
    """One leg. The first sample is taken here; nothing before it counts."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.started = self.last = sources.clock.now()
        self._start_s = self.last_s = sources.clock.monotonic()
        self.phases = PhaseClock(self._start_s)
        self.samples = 0
        self.metering_cpu_s = 0.0
        self.notes: list[str] = [note for note in (sources.processes.note, *sources.cards.notes) if note]
        self._cpu_before_s = self._cpu_s = sources.processes.read().cpu_s
        self._high_water_mb = sources.processes.high_water_mb()
        self._peak_rss_mb: float | None = None
        self._cpu_by_phase: dict[str, float] = {}
        self._packages = _packages(sources)
        self._estimate = None if self._packages else _estimate(sources)
        self._cards = [_card(card) for card in sources.cards.cards]
        self._missing = _missing(sources)
        self.sample()

    def sample(self, *, last: bool = False) -> None:
        """Look at everything once and charge what was used since the last look."""
        sources = self._sources
        now_s, now = sources.clock.monotonic(), sources.clock.now()
        seconds = now_s - self.last_s
        shares = self.phases.split(now_s)
        thorough = last or self.samples % SEARCH_EVERY == 0
        self._use_processor(sources.processes.read(thorough=thorough), seconds, now, shares)
        counted = sources.rapl.read()
        for zone, flow in self._packages.items():
            flow.add(flow.integral.add(now_s, counted[zone]), now, shares)  # type: ignore[union-attr]
        for use, reading in zip(self._cards, sources.cards.read(), strict=True):
            use.add(reading, seconds)
            use.counter.add(use.counter.integral.add(now_s, reading.joules), now, shares)  # type: ignore[union-attr]
            use.power.add(use.power.integral.add(now_s, reading.watts), now, shares)  # type: ignore[union-attr]
        self.last, self.last_s = now, now_s
        self.samples += 1

    def _use_processor(self, usage: Usage, seconds: float, now: datetime, shares: Mapping[str, float]) -> None:
        used_s, self._cpu_s = usage.cpu_s - self._cpu_s, usage.cpu_s
        if usage.rss_mb is not None:
            self._peak_rss_mb = max(self._peak_rss_mb or 0.0, usage.rss_mb)
        for phase, share in shares.items():
            self._cpu_by_phase[phase] = self._cpu_by_phase.get(phase, 0.0) + share * used_s
        if self._estimate is not None and self.samples:
            joules = used_s * self._sources.estimate.watts_per_thread
            self._estimate.add(Stretch(seconds, joules), now, shares)

    def leg(self, state: Literal["running", "done", "stopped"], reason: str = "") -> Leg:
        """The leg up to the last sample."""
        sources = self._sources
        cpu_s = self._cpu_s - self._cpu_before_s
        energy = [flow.record() for flow in (*self._packages.values(), *self._missing)]
        if self._estimate is not None:
            range_w = sources.estimate.range_w
            energy.append(self._estimate.record(range_w and (cpu_s * range_w[0], cpu_s * range_w[1])))
        energy += [flow.record() for use in self._cards for flow in (use.counter, use.power)]
        named = dict.fromkeys([*self.phases.times, *self.phases.wall_s, *self._cpu_by_phase])
        leg = Leg(
            started=self.started,
            last=self.last,
            state=state,
            reason=reason,
            machine=Machine(host=sources.host, processor=sources.processor, threads=sources.threads),
            wall_s=self.last_s - self._start_s,
            cpu_s=cpu_s,
            peak_rss_mb=self._peak(),
            samples=self.samples,
            metering_cpu_s=self.metering_cpu_s,
            phases={name: self._phase(name) for name in sorted(named, key=lambda name: name == OUTSIDE)},
            gpus=tuple(use.record() for use in self._cards),
            energy=tuple(energy),
            notes=tuple(dict.fromkeys(self.notes)),
        )
        return leg.model_copy(update={"notes": (*leg.notes, *disagreements(leg))})

    def _phase(self, name: str) -> PhaseUse:
        phases = self.phases
        return PhaseUse(
            times=phases.times.get(name, 0),
            wall_s=phases.wall_s.get(name, 0.0),
            cpu_s=self._cpu_by_phase.get(name, 0.0),
        )

    def _peak(self) -> float | None:
        """The most of all samples, or what this process held between them where that was more."""
        most_mb = self._sources.processes.high_water_mb()
        if most_mb is None or (self._peak_rss_mb is not None and most_mb == self._high_water_mb):
            return self._peak_rss_mb
        return max(self._peak_rss_mb or 0.0, most_mb)


def _packages(sources: Sources) -> dict[str, _Flow]:
    return {
        zone.name: _Flow(
            f"{sources.host} {zone.name}",
            f"{sources.processor}, {zone.name}",
            "counter",
            True,
            WHOLE_PACKAGE,
            CounterIntegral(zone.range_j),
        )
        for zone in sources.rapl.zones
    }


def _estimate(sources: Sources) -> _Flow:
    note = f"{sources.estimate.how}; {sources.rapl.trouble}"
    return _Flow(f"{sources.host} processor", sources.processor, "estimate", False, note)


def _card(card: Card) -> _CardUse:
    return _CardUse(
        card,
        _Flow(card.uuid, card.name, "counter", True, f"NVML energy counter of the {WHOLE_CARD}", CounterIntegral()),
        _Flow(card.uuid, card.name, "power", True, f"NVML power, integrated, of the {WHOLE_CARD}", PowerIntegral()),
    )


def _missing(sources: Sources) -> list[_Flow]:
    """Cards that are there and cannot be read: their energy is unknown, not none."""
    trouble = sources.cards.trouble
    return [_Flow(f"{sources.host} NVIDIA cards", "NVIDIA cards", "counter", True, trouble)] if trouble else []
