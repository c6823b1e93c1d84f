"""How a candidate stands in the race: what is known of it so far, and whether another one has beaten it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.costs import Costs, costs_of
from ligera.deploy.pick.evidence import Screening, Visit
from ligera.deploy.pick.intervals import screened, surely_not_better, surely_worse

__all__ = ["Standing"]


@dataclass(slots=True, eq=False)
class Standing:
    """All that is known of a candidate: ``dropped`` says why it is measured no further.

    ``said`` is the gist of its answers by picture, ``value`` and ``redrawn`` its accuracy by them; ``heard_from`` is
    the twin whose answers they are as long as it was not asked itself. ``lost_to`` is the one that has beaten it,
    ``broken`` says that it cannot run here.
    """

    candidate: Candidate
    screening: Screening | None = None
    said: dict[int, Any] = field(default_factory=dict)
    redrawn: np.ndarray | None = None
    value: float | None = None
    heard_from: Standing | None = None
    visits: list[Visit] = field(default_factory=list)
    drop_points: float | None = None
    dropped: str = ""
    lost_to: Standing | None = None
    broken: bool = False

    @property
    def bounds_ms(self) -> tuple[float, float]:
        """Least and most that its time may be, going by a few runs."""
        return (0.0, float("inf")) if self.screening is None else screened(self.screening)

    @property
    def rough_ms(self) -> float:
        return float("inf") if self.screening is None else median(self.screening.times_ms)

    @property
    def rank(self) -> float:
        """Accuracy to a tenth of a point, below which nobody can tell two models apart."""
        return round(self.value or 0.0, 3)

    def costs(self, percentile: float) -> Costs | None:
        """What it costs, once it was visited."""
        if not self.visits:
            return None
        return costs_of(self.candidate, self.visits, self.drop_points, percentile)

    def fits(self, budget: Budget) -> bool:
        """Whether it was visited and keeps ``budget``."""
        costs = self.costs(budget.percentile)
        return costs is not None and not costs.broken(budget)

    def likely_fits(self, budget: Budget) -> bool:
        """Whether it keeps the time, by visits where there are some and otherwise all but surely by a few runs."""
        if self.visits:
            return self.fits(budget)
        return budget.max_ms is None or self.bounds_ms[1] <= budget.max_ms

    def is_twin_of(self, other: Standing) -> bool:
        """The same model at the same size, run in another way."""
        own, its = self.candidate, other.candidate
        return own.facts.sha256 == its.facts.sha256 and own.max_side == its.max_side

    def answers_as(self, twin: Standing) -> bool:
        """Whether nothing but rounding can tell its answers from those of ``twin``: runtimes do int8 in other ways."""
        return self.candidate.facts.precision == "fp32" or self.candidate.runtime == twin.candidate.runtime

    def overhear(self, other: Standing) -> None:
        """Take the answers of ``other``, a twin, for its own: they differ by how a runtime rounds."""
        self.said, self.value, self.redrawn, self.heard_from = other.said, other.value, other.redrawn, other

    def loses_to(self, other: Standing, budget: Budget, pictures: int) -> bool:
        """Whether neither ``budget`` nor a wider one could choose this rather than ``other``, all but surely.

        ``pictures`` is how many there are in all.
        """
        if self.redrawn is None or other.redrawn is None or len(self.said) != len(other.said):
            return False
        if not self._cheaper_in_all_else(other, budget) or (other.visits and not other.fits(budget.relaxed())):
            return False
        # without any limit the answer is the whole front, so that only what is beaten in both is left out
        compared = (self.redrawn, other.redrawn, len(self.said), pictures)
        if not budget.is_open and other.likely_fits(budget) and surely_worse(*compared):
            return True
        return self.bounds_ms[0] > other.bounds_ms[1] and surely_not_better(*compared)

    def _cheaper_in_all_else(self, other: Standing, budget: Budget) -> bool:
        """Whether ``other`` keeps, or costs less of, what is limited besides time."""
        if budget.max_mb is not None and (other.candidate.size_mb is None or other.candidate.size_mb > budget.max_mb):
            return False
        if budget.max_drop is not None and other.candidate.facts.precision != "fp32":
            return False
        if budget.max_joule is None or other.fits(budget):
            return True
        known = self.screening is not None and other.screening is not None
        return known and other.screening.cpu_s < self.screening.cpu_s
