"""What each device used over all legs and processes of a run, none of it twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ligera.meter.figure import Figure, Provenance
from ligera.meter.record import CostFile, Energy, GpuUse, Leg

__all__ = ["JOULES_PER_KWH", "DeviceUse", "device_uses", "disagreements"]

JOULES_PER_KWH = 3.6e6
# Of a device seen for less of the run than this, the energy is only known to be at least so much.
WHOLE = 0.98
# The two ways to know a card's energy may differ by this much before it is said; from this many samples on.
MOST_DISAGREEMENT = 0.05
FEWEST_SAMPLES = 10


@dataclass(slots=True)
class DeviceUse:
    """One device: joules by quarter of an hour and by phase, where they come from, and of how much of the run."""

    device: str
    name: str
    shared: bool
    label: str = ""
    ways: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    by_quarter: dict[datetime, float] = field(default_factory=dict)
    by_phase: dict[str, float] = field(default_factory=dict)
    range_j: tuple[float, float] | None = None
    covered_s: float = 0.0
    wall_s: float = 0.0
    n: int = 0
    gpu: GpuUse | None = None

    @property
    def joules(self) -> float:
        return sum(self.by_quarter.values())

    @property
    def source(self) -> Provenance:
        if not self.n:
            return "unknown"
        return "estimated" if "estimate" in self.ways or self.gap else "measured"

    @property
    def gap(self) -> str:
        """What is missing, in words; empty where nothing is."""
        if not self.n or self.covered_s >= WHOLE * self.wall_s:
            return ""
        return f"seen for {self.covered_s:.0f} s of {self.wall_s:.0f} s, so its energy is at least what is said"

    @property
    def how(self) -> str:
        return f"{self.source} ({'; '.join([*self.notes, *([self.gap] if self.gap else [])])})"

    def figures(self) -> dict[str, Figure]:
        """``energy_kwh``, ``power_mean_w``, and of cards ``memory_peak_mb, memory_mean_mb, utilisation_mean``."""
        source, note = self.source, "; ".join(self.notes)
        known = source != "unknown"
        spread = self.range_j and (self.range_j[0] / JOULES_PER_KWH, self.range_j[1] / JOULES_PER_KWH)
        kwh, watts = self.joules / JOULES_PER_KWH, self.joules / self.covered_s if self.covered_s else None
        figures = {
            "energy_kwh": Figure(kwh if known else None, "kWh", source, self.name, None, self.n, spread, note),
            "power_mean_w": _figure(watts if known else None, "W", self.name, self.n, source),
        }
        if self.gpu is not None:
            gpu = self.gpu
            figures["memory_peak_mb"] = _figure(gpu.memory_peak_mb, "MB", self.name, gpu.n)
            figures["memory_mean_mb"] = _figure(gpu.memory_mean_mb, "MB", self.name, gpu.n)
            figures["utilisation_mean"] = _figure(gpu.utilisation_mean, "1", self.name, gpu.n)
        return figures


def device_uses(documents: Sequence[CostFile]) -> list[DeviceUse]:
    """Every device of a run. Shared ones count once, those that a process has to itself add up."""
    pools: dict[str, DeviceUse] = {}
    for document in documents:
        for use in _of_one_process(document).values():
            if use.device not in pools:
                pools[use.device] = use
            elif use.shared:
                _merge_shared(pools[use.device], use)
            else:
                _add(pools[use.device], use)
    _label(list(pools.values()))
    return list(pools.values())


def disagreements(leg: Leg) -> list[str]:
    """Cards whose counter and integrated power tell of different mean power."""
    flags = []
    ways: dict[str, dict[str, Energy]] = {}
    for energy in leg.energy:
        ways.setdefault(energy.device, {})[energy.way] = energy
    for both in ways.values():
        counter, power = both.get("counter"), both.get("power")
        if counter is None or power is None or min(counter.n, power.n) < FEWEST_SAMPLES:
            continue
        first_w, second_w = _watts(counter), _watts(power)
        if abs(first_w - second_w) > MOST_DISAGREEMENT * max(first_w, second_w):
            share = abs(first_w - second_w) / max(first_w, second_w)
            flags.append(
                f"{counter.name}: energy counter ({first_w:.1f} W on average) and integrated power ({second_w:.1f} W) "
                f"differ by {share:.0%}"
            )
    return flags


def _watts(energy: Energy) -> float:
    return (energy.joules or 0.0) / energy.covered_s if energy.covered_s else 0.0


def _of_one_process(document: CostFile) -> dict[str, DeviceUse]:
    """A process's legs follow each other, so all of them add up."""
    uses: dict[str, DeviceUse] = {}
    for leg in document.legs:
        gpus = {gpu.device: gpu for gpu in leg.gpus}
        for energy in _best(leg.energy):
            own = DeviceUse(energy.device, energy.name, energy.shared, wall_s=leg.wall_s, n=energy.n)
            own.ways[energy.way] = None
            own.notes[energy.note] = None
            own.by_quarter = _in_utc_order(energy.by_quarter)
            own.by_phase = dict(energy.by_phase)
            own.covered_s, own.range_j, own.gpu = energy.covered_s, energy.range_j, gpus.get(energy.device)
            if energy.device in uses:
                _add(uses[energy.device], own)
            else:
                uses[energy.device] = own
    return uses


def _best(energies: Iterable[Energy]) -> list[Energy]:
    """Of two ways to know one card the counter, which misses nothing between samples; the other where it is silent."""
    chosen: dict[str, Energy] = {}
    for energy in energies:
        other = chosen.get(energy.device)
        if other is None or (other.joules is None and energy.joules is not None):
            chosen[energy.device] = energy
    return list(chosen.values())


def _in_utc_order(by_quarter: dict[datetime, float]) -> dict[datetime, float]:
    return dict(sorted(by_quarter.items(), key=lambda item: item[0].astimezone(UTC)))


def _add(total: DeviceUse, more: DeviceUse) -> None:
    """Joules of other times, or of another process's own."""
    both = (total, more)
    if total.range_j or more.range_j:
        ranges = [use.range_j or (use.joules, use.joules) for use in both]
        total.range_j = (sum(low for low, _ in ranges), sum(high for _, high in ranges))
    for quarter, joules in more.by_quarter.items():
        total.by_quarter[quarter] = total.by_quarter.get(quarter, 0.0) + joules
    for phase, joules in more.by_phase.items():
        total.by_phase[phase] = total.by_phase.get(phase, 0.0) + joules
    total.covered_s += more.covered_s
    total.wall_s += more.wall_s
    total.n += more.n
    total.ways |= more.ways
    total.notes |= more.notes
    total.gpu = _joined(total.gpu, more.gpu)


def _merge_shared(total: DeviceUse, other: DeviceUse) -> None:
    """The same joules seen by another process: of each quarter of an hour the fuller view."""
    for quarter, joules in other.by_quarter.items():
        total.by_quarter[quarter] = max(total.by_quarter.get(quarter, 0.0), joules)
    for phase, joules in other.by_phase.items():
        total.by_phase[phase] = max(total.by_phase.get(phase, 0.0), joules)
    if other.covered_s > total.covered_s:
        total.covered_s, total.wall_s, total.n = other.covered_s, other.wall_s, other.n
    total.ways |= other.ways
    total.notes |= other.notes
    total.gpu = _joined(total.gpu, other.gpu)


def _joined(first: GpuUse | None, second: GpuUse | None) -> GpuUse | None:
    if first is None or second is None:
        return first or second
    seen_s = first.seen_s + second.seen_s
    peaks = [gpu.memory_peak_mb for gpu in (first, second) if gpu.memory_peak_mb is not None]
    return GpuUse(
        device=first.device,
        name=first.name,
        memory_peak_mb=max(peaks, default=None),
        memory_mean_mb=_mean(first, second, "memory_mean_mb"),
        utilisation_mean=_mean(first, second, "utilisation_mean"),
        seen_s=seen_s,
        n=first.n + second.n,
    )


def _mean(first: GpuUse, second: GpuUse, name: str) -> float | None:
    known = [(getattr(gpu, name), gpu.seen_s) for gpu in (first, second) if getattr(gpu, name) is not None]
    weight = sum(seconds for _, seconds in known)
    if not weight:
        return known[0][0] if known else None
    return sum(value * seconds for value, seconds in known) / weight


def _label(uses: Sequence[DeviceUse]) -> None:
    """Names that a reader can tell apart: two cards of a kind get the beginning of their identity."""
    names = [use.name for use in uses]
    for use in uses:
        use.label = use.name if names.count(use.name) == 1 else f"{use.name} [{use.device[:12]}]"


def _figure(value: float | None, unit: str, device: str, n: int, source: Provenance = "measured") -> Figure:
    return Figure(value, unit, "unknown" if value is None else source, device, None, n)
