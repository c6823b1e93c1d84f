"""What a detection takes in energy: counters around each model's turns, or its CPU time where there are none.

In: the machine before and after a turn, the CPU seconds and the detections between. Out: a ``Figure`` in mJ for one
detection that says whether it was measured (processor packages and, for networks on a card, the cards: whole devices,
whatever else runs on them) or estimated (CPU seconds of the model's process alone).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ligera.meter.figure import Figure, ratio_figure
from ligera.meter.integrals import CounterIntegral, PowerIntegral
from ligera.meter.nvml import CardReading
from ligera.meter.sources import Sources

__all__ = ["Look", "Turns", "energy_figure", "look"]

# Counters of cards move about ten times a second; turns as short as that borrow from their neighbours.
SHORT_TURN_S = 0.5
MEASURED = "counters of whole devices during the model's turns"


@dataclass(frozen=True, slots=True)
class Look:
    """All counters at one moment, in J and W."""

    at_s: float
    packages: dict[str, float | None]
    cards: tuple[CardReading, ...]


@dataclass(slots=True)
class Turns:
    """The turns of one model: joules, ``None`` where a counter was silent, and detections, warm-up included."""

    on_card: bool
    joules: list[float | None] = field(default_factory=list)
    detections: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, sources: Sources, before: Look, after: Look, *, cpu_s: float, detections: int) -> None:
        """Book the turn between two looks, in which the model's process worked ``cpu_s``."""
        parts = _processor(sources, before, after, cpu_s) + (_cards(sources, before, after) if self.on_card else [])
        self.joules.append(None if None in parts else sum(part for part in parts if part is not None))
        self.detections.append(detections)
        self.seconds += after.at_s - before.at_s


def look(sources: Sources) -> Look:
    """The counters now."""
    return Look(sources.clock.monotonic(), sources.rapl.read(), sources.cards.read())


def energy_figure(sources: Sources, turns: Turns, *, device: str, threads: int | None) -> Figure:
    """Energy of one detection in mJ over all turns; unknown where a counter that is needed was silent."""
    known = [1e3 * joules for joules in turns.joules if joules is not None]
    if len(known) < len(turns.joules) or not known:
        note = (turns.on_card and sources.cards.trouble) or "a counter gave no reading, or may have gone round twice"
        return Figure(None, "mJ", "unknown", device, threads, 0, note=note)
    made = ratio_figure(known, turns.detections, unit="mJ", device=device, threads=threads)
    if not sources.rapl.zones:
        return replace(made, source="estimated", note=f"{sources.estimate.how}; {sources.rapl.trouble}")
    turn_s = turns.seconds / len(known)
    if turns.on_card and turn_s < SHORT_TURN_S:
        return replace(made, source="estimated", note=f"{MEASURED}, which were short for a card's ({turn_s:.2f} s)")
    return replace(made, note=MEASURED)


def _processor(sources: Sources, before: Look, after: Look, cpu_s: float) -> list[float | None]:
    if not sources.rapl.zones:
        return [cpu_s * sources.estimate.watts_per_thread]
    return [
        _counted(before.at_s, before.packages[zone.name], after.at_s, after.packages[zone.name], zone.range_j)
        for zone in sources.rapl.zones
    ]


def _cards(sources: Sources, before: Look, after: Look) -> list[float | None]:
    """The cards' joules: counted, or by the power at both ends; none at all is unknown."""
    parts: list[float | None] = [None] if sources.cards.trouble or not sources.cards.cards else []
    for first, last in zip(before.cards, after.cards, strict=True):
        counted = _counted(before.at_s, first.joules, after.at_s, last.joules, None)
        power = PowerIntegral()
        power.add(before.at_s, first.watts)
        drawn = power.add(after.at_s, last.watts) if first.watts is not None else None
        parts.append(counted if counted is not None else drawn and drawn.joules)
    return parts


def _counted(
    first_s: float, first_j: float | None, last_s: float, last_j: float | None, range_j: float | None
) -> float | None:
    if first_j is None:
        return None
    counter = CounterIntegral(range_j)
    counter.add(first_s, first_j)
    stretch = counter.add(last_s, last_j)
    return stretch and stretch.joules
