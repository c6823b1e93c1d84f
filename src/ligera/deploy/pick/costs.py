"""What a candidate costs, by its visits, and which limits of a budget that breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.evidence import Visit
from ligera.deploy.pick.intervals import Latency, latency_of
from ligera.meter.figure import Figure, ratio_figure

__all__ = ["Costs", "costs_of", "energy_of"]


@dataclass(frozen=True, slots=True)
class Costs:
    """``energy_j`` is of a picture; ``drop_points`` what precision costs in points, 0 for a bundle as it was trained
    and ``None`` where its original is not among the candidates."""

    latency: Latency
    energy_j: Figure
    size_mb: float | None
    drop_points: float | None

    @property
    def promised_ms(self) -> float:
        return self.latency.value if self.latency.promised is None else self.latency.promised

    def broken(self, budget: Budget) -> dict[str, float | None]:
        """For each limit that is broken, by its name, what it would have to be; ``None`` where that is unknown."""
        values = {
            "max_ms": self.promised_ms,
            "max_mb": self.size_mb,
            "max_joule": self.energy_j.value,
            "max_drop": self.drop_points,
        }
        limits = {name: getattr(budget, name) for name in values}
        return {
            name: value
            for name, value in values.items()
            if limits[name] is not None and (value is None or value > limits[name])
        }


def costs_of(candidate: Candidate, visits: Sequence[Visit], drop_points: float | None, percentile: float) -> Costs:
    """All that is known of what ``candidate`` costs, from one visit or more."""
    return Costs(latency_of(visits, percentile), energy_of(candidate, visits), candidate.size_mb, drop_points)


def energy_of(candidate: Candidate, visits: Sequence[Visit]) -> Figure:
    """Joules of a picture over all visits; unknown where a counter was silent."""
    joules = [value for visit in visits for value in visit.joules]
    known = [value for value in joules if value is not None]
    last = visits[-1]
    if len(known) < len(joules) or not known:
        return Figure(None, "J", "unknown", "cpu", candidate.threads, 0, note="a counter gave no reading")
    counts = [count for visit in visits for count in visit.pictures]
    figure = ratio_figure(known, counts, unit="J", device="cpu", threads=candidate.threads)
    sources = {visit.energy_source for visit in visits}
    return replace(figure, source="measured" if sources == {"measured"} else "estimated", note=last.energy_note)
