"""From the records of a run to what it cost: hours, kilowatt-hours, euros, CO2, and what it saved against another run.

Legs of a process add up. Processes of one run (torchrun) add their CPU time and memory but not their wall time, and
energy of a device that several of them saw counts once: for each quarter of an hour what the one that saw most of it
saw. Every figure says whether it is measured, estimated or unknown; a sum is worth as much as its weakest part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ligera.errors import DataError, UsageError
from ligera.meter.devices import JOULES_PER_KWH, DeviceUse, device_uses
from ligera.meter.figure import Figure, weakest
from ligera.meter.record import CostFile, Leg, PhaseUse, ranks, read_file
from ligera.meter.tariff import Tariff

__all__ = ["DEFAULT_CO2_G_PER_KWH", "JOULES_PER_KWH", "Cost", "checked_co2", "co2_words", "read_cost", "summarise"]

# Average of the EU-27 in 2023, life cycle included: Ember, Yearly Electricity Data (CC BY 4.0), the data behind
# ourworldindata.org/grapher/carbon-intensity-electricity. The European Environment Agency, which counts generation
# alone, has an eighth less for that year.
DEFAULT_CO2_G_PER_KWH = 242.0
DEFAULT_CO2_SOURCE = "average of the EU-27 in 2023, Ember"
MOST_CO2_G_PER_KWH = 5000.0
SAVED = ("wall_s", "cpu_s", "energy_kwh", "euros", "co2_g", "peak_rss_mb")


@dataclass(frozen=True, slots=True)
class Cost:
    """``figures`` by name: ``wall_s, cpu_s, peak_rss_mb, energy_kwh, euros, co2_g, metering_cpu_s``; ``phases`` and
    ``devices`` have figures of their own. ``state`` is that of the last leg, "unfinished" where it was killed or still
    runs; ``flags`` are reasons to look twice.
    """

    where: str
    state: str
    legs: int
    processes: int
    machine: str
    tariff: Tariff
    co2_g_per_kwh: float
    figures: dict[str, Figure]
    phases: dict[str, dict[str, Figure]]
    devices: dict[str, dict[str, Figure]]
    flags: tuple[str, ...]

    def savings(self, base: Cost) -> dict[str, Figure]:
        """Percent of each figure of ``base`` that this run did without; negative where it took more.

        Unknown where either is, or the base used none.
        """
        return {name: _saving(self.figures[name], base.figures[name], self, base) for name in SAVED}

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "run": self.where,
            "state": self.state,
            "legs": self.legs,
            "processes": self.processes,
            "machine": self.machine,
            "tariff": self.tariff.as_dict(),
            "co2_g_per_kwh": self.co2_g_per_kwh,
            "figures": _plain(self.figures),
            "phases": {name: _plain(figures) for name, figures in self.phases.items()},
            "devices": {name: _plain(figures) for name, figures in self.devices.items()},
            "flags": list(self.flags),
        }


def read_cost(
    folder: Path | str,
    *,
    tariff: Tariff | float | str | Path | None = None,
    co2_g_per_kwh: float | None = None,
) -> Cost:
    """What the run in this folder (or of this ``cost.json``) cost so far, at its own tariff and factor or at others.

    Raises ``DataError`` where there is no such folder, no record or a damaged one, and as ``Tariff.read`` does.
    """
    path = Path(folder)
    chosen = None if tariff is None else Tariff.read(tariff)
    if path.is_file():
        path = path.parent
    if not path.is_dir():
        raise DataError(f"{folder}: no such run folder; give one such as runs/train/NAME")
    documents = [read_file(file) for file in ranks(path)]
    if not any(document.legs for document in documents):
        raise DataError(f"{folder}: holds no record of cost (cost.json); was this run metered?")
    return summarise(documents, str(folder), tariff=chosen, co2_g_per_kwh=co2_g_per_kwh)


def checked_co2(g_per_kwh: float) -> float:
    """A factor from CO2 to energy. Raises ``UsageError`` for one that is none."""
    if not 0 <= g_per_kwh <= MOST_CO2_G_PER_KWH:
        raise UsageError(f"CO2: expected g/kWh from 0 to {MOST_CO2_G_PER_KWH:g}, got {g_per_kwh:g}")
    return float(g_per_kwh)


def co2_words(g_per_kwh: float) -> str:
    """The factor, and where it comes from where that is known."""
    source = f" ({DEFAULT_CO2_SOURCE})" if g_per_kwh == DEFAULT_CO2_G_PER_KWH else ""
    return f"{g_per_kwh:g} g CO2e/kWh{source}"


def summarise(
    documents: Sequence[CostFile],
    where: str,
    *,
    tariff: Tariff | None = None,
    co2_g_per_kwh: float | None = None,
) -> Cost:
    """The records of all processes of one run, at least one with a leg, as one cost."""
    first = next(document for document in documents if document.legs)
    price = tariff or Tariff.parse(first.tariff, where)
    factor = checked_co2(first.co2_g_per_kwh if co2_g_per_kwh is None else co2_g_per_kwh)
    devices = device_uses(documents)
    machines = list(dict.fromkeys(leg.machine.processor for document in documents for leg in document.legs))
    return Cost(
        where=where,
        state={"running": "unfinished"}.get(first.legs[-1].state, first.legs[-1].state),
        legs=max(len(document.legs) for document in documents),
        processes=sum(bool(document.legs) for document in documents),
        machine="; ".join(machines),
        tariff=price,
        co2_g_per_kwh=factor,
        figures=_figures(documents, devices, price, factor),
        phases=_phases(documents, devices),
        devices={use.label: use.figures() for use in devices},
        flags=_flags(documents, devices),
    )


def _figures(
    documents: Sequence[CostFile], devices: Sequence[DeviceUse], tariff: Tariff, factor: float
) -> dict[str, Figure]:
    place = _place(documents)
    samples = sum(leg.samples for document in documents for leg in document.legs)
    energy = _energy(devices, place)
    peaks = [_peak(document.legs) for document in documents if document.legs]
    peak = None if None in peaks else sum(mb for mb in peaks if mb is not None)
    many = "sum over processes, which need not have peaked at once" if len(peaks) > 1 else ""

    def measured(value: float, unit: str, note: str = "") -> Figure:
        return Figure(value, unit, "measured", place, None, samples, note=note)

    return {
        "wall_s": measured(max(sum(leg.wall_s for leg in document.legs) for document in documents), "s"),
        "cpu_s": measured(_total(documents, "cpu_s"), "s"),
        "peak_rss_mb": Figure(None, "MB", "unknown", place, None, 0) if peak is None else measured(peak, "MB", many),
        "energy_kwh": energy,
        "euros": _euros(energy, devices, tariff),
        "co2_g": _scaled(energy, "g", factor, f"energy_kwh x {co2_words(factor)}"),
        "metering_cpu_s": measured(_total(documents, "metering_cpu_s"), "s"),
    }


def _place(documents: Sequence[CostFile]) -> str:
    machine = next(leg.machine for document in documents for leg in document.legs)
    return f"{machine.processor}, {machine.threads} threads"


def _total(documents: Sequence[CostFile], name: str) -> float:
    return sum(getattr(leg, name) for document in documents for leg in document.legs)


def _peak(legs: Sequence[Leg]) -> float | None:
    known = [leg.peak_rss_mb for leg in legs if leg.peak_rss_mb is not None]
    return max(known, default=None)


def _energy(devices: Sequence[DeviceUse], place: str) -> Figure:
    """All devices together; unknown where any is."""
    note = "; ".join(f"{use.label}: {use.how}" for use in devices)
    source = weakest([use.source for use in devices])
    n = max((use.n for use in devices), default=0)
    if source == "unknown":
        return Figure(None, "kWh", "unknown", place, None, n, note=note)
    value = sum(use.joules for use in devices) / JOULES_PER_KWH
    spread = None
    if any(use.range_j for use in devices):
        ranges = [use.range_j or (use.joules, use.joules) for use in devices]
        spread = (sum(low for low, _ in ranges) / JOULES_PER_KWH, sum(high for _, high in ranges) / JOULES_PER_KWH)
    return Figure(value, "kWh", source, place, None, n, spread, note)


def _euros(energy: Figure, devices: Sequence[DeviceUse], tariff: Tariff) -> Figure:
    if energy.value is None:
        return Figure(None, "EUR", "unknown", energy.device, None, energy.n, note="energy_kwh is unknown")
    value = sum(
        joules / JOULES_PER_KWH * tariff.price_at(quarter)
        for use in devices
        for quarter, joules in use.by_quarter.items()
    )
    mean = value / energy.value if energy.value else 0.0
    spread = energy.spread and (energy.spread[0] * mean, energy.spread[1] * mean)
    return Figure(value, "EUR", energy.source, energy.device, None, energy.n, spread, f"energy_kwh at {tariff}")


def _scaled(energy: Figure, unit: str, factor: float, note: str) -> Figure:
    """A figure that follows from energy by an average factor, and so is an estimate at best."""
    if energy.value is None:
        return Figure(None, unit, "unknown", energy.device, None, energy.n, note=note)
    spread = energy.spread and (energy.spread[0] * factor, energy.spread[1] * factor)
    return Figure(energy.value * factor, unit, "estimated", energy.device, None, energy.n, spread, note)


def _phases(documents: Sequence[CostFile], devices: Sequence[DeviceUse]) -> dict[str, dict[str, Figure]]:
    place = _place(documents)
    names = dict.fromkeys(name for document in documents for leg in document.legs for name in leg.phases)
    source = weakest([use.source for use in devices])
    phases = {}
    for name in names:
        uses = [[leg.phases[name] for leg in document.legs if name in leg.phases] for document in documents]
        times = max(sum(use.times for use in own) for own in uses)
        joules = None if source == "unknown" else sum(use.by_phase.get(name, 0.0) for use in devices)
        phases[name] = {
            "wall_s": Figure(max(_sum(own, "wall_s") for own in uses), "s", "measured", place, None, times),
            "cpu_s": Figure(sum(_sum(own, "cpu_s") for own in uses), "s", "measured", place, None, times),
            "energy_kwh": Figure(joules and joules / JOULES_PER_KWH, "kWh", source, place, None, times),
        }
    return phases


def _sum(uses: Sequence[PhaseUse], name: str) -> float:
    return sum(getattr(use, name) for use in uses)


def _flags(documents: Sequence[CostFile], devices: Sequence[DeviceUse]) -> tuple[str, ...]:
    flags = [note for document in documents for leg in document.legs for note in leg.notes]
    for document in documents:
        for leg in document.legs:
            if leg.state == "stopped":
                flags.append(f"a leg was stopped by {leg.reason or 'an error'}")
            elif leg.state == "running":
                when = f"{leg.last:%Y-%m-%d %H:%M:%S%z}"
                flags.append(f"a leg has no end (killed, or still running); it counts up to {when}")
    flags += [f"{use.label}: {use.gap}" for use in devices if use.gap]
    return tuple(dict.fromkeys(flags))


def _saving(own: Figure, base: Figure, cost: Cost, other: Cost) -> Figure:
    note = "" if cost.machine == other.machine else f"on {cost.machine} against {other.machine}"
    if own.value is None or not base.value:
        return Figure(None, "%", "unknown", own.device, None, 0, note=note)
    source = weakest([own.source, base.source])
    return Figure(100 * (1 - own.value / base.value), "%", source, own.device, None, 1, note=note)


def _plain(figures: dict[str, Figure]) -> dict[str, Any]:
    return {name: figure.as_dict() for name, figure in figures.items()}
