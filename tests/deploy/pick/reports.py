"""Reports made up from known figures."""

from __future__ import annotations

from typing import Any

from ligera.deploy.pick.budget import Budget
from ligera.deploy.pick.candidates import Candidate
from ligera.deploy.pick.choice import choose
from ligera.deploy.pick.costs import costs_of
from ligera.deploy.pick.evidence import Visit
from ligera.deploy.pick.intervals import Accuracy
from ligera.deploy.pick.row import Row
from ligera.deploy.pick.running import Field, PickReport

from .worlds import candidate

ENVIRONMENT = {
    "device": {"processor": "Made Up 1", "cores": 4, "usable_cores": 2, "system": "none", "architecture": "none"},
    "software": {"ligera": "0"},
}


def row(one: Candidate, value: float, ms: float | None, **changes: Any) -> Row:
    """A candidate of accuracy ``value`` that takes ``ms``, exactly, or was measured no further."""
    costs = None
    if ms is not None:
        visit = Visit(
            ((ms,) * 4,), ((ms / 2,) * 4,), (ms / 100 * 4,), (4,), "estimated", "guessed", 700.0, 90.0, (), "now"
        )
        costs = costs_of(one, [visit] * 4, 0.0, 95)
    values: dict[str, Any] = {
        "accuracy": Accuracy(value, value - 0.03, value + 0.03, 160),
        "rough_ms": ms or 50.0,
        "groups": {"small": value / 2, "large": None} if ms else {},
        "peak_mb": 90.0,
        "eur_per_kwh": 0.246,
    }
    return Row(one, "AP50", costs=costs, **(values | changes))


def report(rows: list[Row], budget: Budget, **changes: Any) -> PickReport:
    values: dict[str, Any] = {
        "task": "faces",
        "data": "some/faces",
        "budget": budget,
        "field": Field(),
        "metric": "AP50",
        "protocol": "AP at 0.5",
        "pictures": 160,
        "timed_pictures": 24,
        "rows": tuple(rows),
        "choice": choose(rows, budget),
        "left_out": {},
        "warnings": (),
        "environment": ENVIRONMENT,
        "energy_note": "guessed",
        "tariff": "0.246 EUR/kWh",
        "cost_s": 3.0,
        "worth_s": 9.0,
        "measured": 5,
        "cached": 2,
        "group_name": "size",
    }
    return PickReport(**(values | changes))


def three() -> tuple[Row, Row, Row]:
    """Fast and poor, fair, and slow and good: 2, 6 and 9 ms."""
    return (
        row(candidate("poor", 160), 0.4, 2.0),
        row(candidate("fair", 320), 0.55, 6.0),
        row(candidate("good", 640), 0.62, 9.0),
    )
