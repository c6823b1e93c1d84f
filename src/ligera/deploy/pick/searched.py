"""What an architecture search adds to a choice: whether one would help, what it is asked for, what it cost.

The search itself is not of this room, which knows no training: a command hands its outcome in as :class:`Searched`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from ligera.errors import UsageError

if TYPE_CHECKING:
    from ligera.deploy.pick.row import Row
    from ligera.deploy.pick.running import PickReport

__all__ = ["Searched", "network_ms", "parse_duration", "wanted"]

# Of the whole time, where nothing was timed in full: what networks take where pictures are small.
USUAL_SHARE = 0.7
SECONDS = {"s": 1, "m": 60, "h": 3600}
LONGEST_S = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Searched:
    """The bundle ``model`` of the net ``name``, found for networks of ``target_ms`` and trained on ``train``.

    ``asked_s`` is the time that was given, ``took_s`` what it took of it, by part in ``parts_s``; ``trials`` nets were
    trained shortly before one was in full. ``energy_kwh`` is ``None`` where no counter told.
    """

    name: str
    model: str
    train: str
    target_ms: float
    asked_s: float
    parts_s: Mapping[str, float]
    trials: int
    energy_kwh: float | None = None
    energy_source: str = "unknown"

    @property
    def took_s(self) -> float:
        return sum(self.parts_s.values())

    def words(self) -> str:
        """What the search did and what it cost, in one line."""
        parts = ", ".join(f"{name} {said_duration(seconds)}" for name, seconds in self.parts_s.items())
        energy = "energy unknown"
        if self.energy_kwh is not None:
            energy = f"{'~' if self.energy_source == 'estimated' else ''}{1e3 * self.energy_kwh:.3g} Wh"
        return (
            f"searched {said_duration(self.took_s)} of the {said_duration(self.asked_s)} given ({parts}; {energy}) for "
            f"a network of {self.target_ms:.2f} ms: {self.name}, the best of {self.trials} trained, took part"
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"took_s": self.took_s}


def wanted(report: PickReport) -> str:
    """Why a search may help: the best candidate, as far as anyone knows, misses the budget. Empty where it keeps it."""
    winner = report.choice.winner
    if winner is None:
        return "nothing fits"
    better = [row for row in report.rows if row is not winner and _may_be_better(row, winner, report)]
    return f"{better[0].candidate.key()} is or may be more accurate, but is over the budget" if better else ""


def _may_be_better(row: Row, winner: Row, report: PickReport) -> bool:
    if row.costs is not None:
        return row.rank > winner.rank and bool(row.costs.broken(report.budget))
    # dropped for its time or size before anyone asked it about all pictures
    over = report.budget.max_ms is not None and (row.rough_ms or 0.0) > report.budget.max_ms
    return over and (row.accuracy is None or row.rank > winner.rank)


def network_ms(report: PickReport) -> float:
    """Milliseconds that a network's fastest run may take so that the whole keeps the budget: by its share elsewhere.

    Candidates timed in noise tell only where no other does: what they promise is mostly noise.
    """
    limit = report.budget.max_ms
    if limit is None:
        raise UsageError("--include-search: searches for a time; add --max-ms")
    timed = [row for row in report.rows if row.costs is not None and row.costs.latency.network_fastest]
    timed = [row for row in timed if not row.noise] or timed
    plain = [row for row in timed if row.candidate.facts.precision == "fp32"] or timed
    shares = [row.costs.latency.network_fastest / row.costs.promised_ms for row in plain]
    return limit * (median(shares) if shares else USUAL_SHARE)


def parse_duration(text: str) -> float:
    """``30m``, ``1h30m`` or ``90s`` -> seconds; ``UsageError`` for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text.strip().lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip().lower():
        raise UsageError(f"--include-search: expected a time such as 30m, 1h30m or 90s, got {text[:40]!r}")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if not 1 <= seconds <= LONGEST_S:
        raise UsageError(f"--include-search: expected a second to 30 days, got {text[:40]!r}")
    return seconds


def said_duration(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
