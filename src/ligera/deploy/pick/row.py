"""One line of the answer: a candidate with all that was found out about it, and whether it was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.costs import Costs
from ligera.deploy.pick.intervals import Accuracy

__all__ = ["Row"]

J_PER_KWH = 3.6e6
PICTURES = 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """``costs`` is ``None`` for a candidate that was not visited, ``accuracy`` ``None`` for one never asked.

    ``heard_in`` is the runtime in which the same model gave the answers that ``accuracy`` stands on, where this
    candidate was not asked itself. ``dropped`` says why it was measured no further. ``rough_ms`` is the percentile
    asked for, of a few runs. ``noise`` says why times must not be quoted.
    """

    candidate: Candidate
    metric: str
    accuracy: Accuracy | None
    costs: Costs | None
    rough_ms: float | None
    groups: Mapping[str, float | None] = field(default_factory=dict)
    peak_mb: float | None = None
    cold_start_ms: float | None = None
    heard_in: str = ""
    dropped: str = ""
    noise: tuple[str, ...] = ()
    measured_at: str = ""
    eur_per_kwh: float = 0.0

    @property
    def rank(self) -> float:
        """Accuracy to a tenth of a point, below which nobody can tell two models apart."""
        return -1.0 if self.accuracy is None else round(self.accuracy.value, 3)

    @property
    def euros_per_million(self) -> float | None:
        joules = None if self.costs is None else self.costs.energy_j.value
        return None if joules is None else joules * PICTURES / J_PER_KWH * self.eur_per_kwh

    def as_dict(self) -> dict[str, Any]:
        """The row ready for JSON."""
        candidate, costs = self.candidate, self.costs
        return {
            "model": candidate.facts.model,
            "name": candidate.facts.name,
            "max_side": candidate.max_side,
            "precision": candidate.facts.precision,
            "runtime": candidate.runtime,
            "threads": candidate.threads,
            "sha256": candidate.facts.sha256,
            "size_mb": candidate.size_mb,
            "licence": candidate.facts.licence,
            "accuracy": None if self.accuracy is None else asdict(self.accuracy),
            "groups": dict(self.groups),
            "latency_ms": None if costs is None else asdict(costs.latency),
            "rough_ms": self.rough_ms,
            "energy_j": None if costs is None else costs.energy_j.as_dict(),
            "euros_per_million": self.euros_per_million,
            "drop_points": None if costs is None else costs.drop_points,
            "peak_mb": self.peak_mb,
            "cold_start_ms": self.cold_start_ms,
            "heard_in": self.heard_in,
            "dropped": self.dropped,
            "noise": list(self.noise),
            "measured_at": self.measured_at,
        }
