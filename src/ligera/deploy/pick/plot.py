"""Where everything stands in the Pareto picture: time from left to right (logarithmic), accuracy upwards.

In: a report. Out: :class:`Plot`, marks and ticks in px of a canvas, drawn as SVG by ``svg`` and as PNG by ``png``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ligera.deploy.pick.row import Row
from ligera.deploy.pick.running import PickReport

__all__ = ["HEIGHT_PX", "WIDTH_PX", "Frame", "Mark", "Plot", "Tick", "lay_out"]

WIDTH_PX, HEIGHT_PX = 960, 500
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 64, 24, 28, 56
STEPS = (1.0, 2.0, 5.0, 10.0)
MARGIN_MS = 1.25
# Room that a label takes, so that no two lie on each other.
LABEL_PX = (170, 16)
MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """From milliseconds and accuracy to px."""

    low_ms: float
    high_ms: float
    low: float
    high: float

    def x(self, ms: float) -> float:
        share = math.log(max(ms, 1e-6) / self.low_ms) / math.log(self.high_ms / self.low_ms)
        return LEFT_PX + min(1.0, max(0.0, share)) * (WIDTH_PX - LEFT_PX - RIGHT_PX)

    def y(self, accuracy: float) -> float:
        share = (accuracy - self.low) / (self.high - self.low)
        return HEIGHT_PX - BOTTOM_PX - min(1.0, max(0.0, share)) * (HEIGHT_PX - TOP_PX - BOTTOM_PX)


@dataclass(frozen=True, slots=True)
class Tick:
    place_px: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A candidate at ``x``, ``y``: ``number`` is its row, ``colour`` that of its model.

    ``role`` is winner, relaxed, fits, over or rough (not measured in full). ``across`` and ``upright`` are the ends of
    its ranges, ``None`` for a rough one; ``leads`` where no other is both faster and more accurate.
    """

    number: int
    x: float
    y: float
    colour: int
    role: str
    across: tuple[float, float] | None
    upright: tuple[float, float] | None
    leads: bool = False
    label: str = ""

    @property
    def label_side(self) -> tuple[float, str]:
        """How many px beside the mark its label ends or starts: left above what leads, nothing else can be."""
        return (-13.0, "end") if self.x > LEFT_PX + LABEL_PX[0] else (13.0, "start")


@dataclass(frozen=True, slots=True)
class Plot:
    """``front`` is the line of what no other candidate beats, ``budget_x`` and ``relaxed_x`` the limits of time."""

    marks: tuple[Mark, ...]
    front: tuple[tuple[float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    models: tuple[str, ...]
    budget_x: float | None
    relaxed_x: float | None
    x_title: str
    y_title: str


def lay_out(report: PickReport) -> Plot | None:
    """The picture of ``report``; ``None`` where no candidate has both an accuracy and a time."""
    shown = [(number, row) for number, row in enumerate(report.rows) if _time_ms(row) and row.accuracy is not None]
    if not shown:
        return None
    frame = _frame([row for _, row in shown], report)
    models = tuple(dict.fromkeys(row.candidate.facts.name for row in report.rows))
    marks = [_mark(number, row, report, frame, models) for number, row in shown]
    # what matters most is drawn last, above the rest
    order = ("rough", "over", "fits", "relaxed", "winner")
    marks.sort(key=lambda mark: order.index(mark.role))
    front = tuple((frame.x(ms), frame.y(value)) for ms, value in _front([row for _, row in shown]))
    limit = report.budget.max_ms
    wider = report.budget.relaxed().max_ms
    percentile = f"p{report.budget.percentile:g}"
    return Plot(
        marks=tuple(_labelled(marks, report, front)),
        front=front,
        x_ticks=tuple(Tick(frame.x(ms), f"{ms:g}") for ms in _round_ms(frame)),
        y_ticks=tuple(Tick(frame.y(value), f"{value:.{places}f}") for value, places in _round_values(frame)),
        models=models,
        budget_x=None if limit is None else frame.x(limit),
        relaxed_x=None if wider is None else frame.x(wider),
        x_title=f"{percentile} of the time from decoded picture to answer, ms",
        y_title=report.metric,
    )


def _time_ms(row: Row) -> float | None:
    return row.costs.latency.value if row.costs is not None else row.rough_ms


def _frame(rows: Sequence[Row], report: PickReport) -> Frame:
    times = [_time_ms(row) for row in rows] + [row.costs.promised_ms for row in rows if row.costs is not None]
    if report.budget.max_ms is not None:
        times += [report.budget.max_ms, report.budget.relaxed().max_ms]
    ends = [row.accuracy.value for row in rows]
    ends += [
        end for row in rows if row.costs is not None for end in (row.accuracy.low, row.accuracy.high) if end is not None
    ]
    room = max(0.02, 0.06 * (max(ends) - min(ends)))
    low, high = max(0.0, min(ends) - room), min(1.0, max(ends) + room)
    return Frame(min(times) / MARGIN_MS, max(times) * MARGIN_MS, low, max(high, low + 0.01))


def _mark(number: int, row: Row, report: PickReport, frame: Frame, models: Sequence[str]) -> Mark:
    accuracy, costs, choice = row.accuracy, row.costs, report.choice
    role = "rough"
    across = upright = None
    if costs is not None:
        role = "over" if costs.broken(report.budget) else "fits"
        role = "winner" if row is choice.winner else "relaxed" if row is choice.relaxed else role
        across = (frame.x(costs.latency.low), frame.x(costs.promised_ms))
        if accuracy.low is not None and accuracy.high is not None:
            upright = (frame.y(accuracy.low), frame.y(accuracy.high))
    place = models.index(row.candidate.facts.name)
    return Mark(number, frame.x(_time_ms(row)), frame.y(accuracy.value), place, role, across, upright)


def _labelled(marks: Sequence[Mark], report: PickReport, front: Sequence[tuple[float, float]]) -> list[Mark]:
    """The marks; the winner and those on the front get a label where it covers no other."""
    taken: list[tuple[float, float]] = []
    found = []
    for mark in reversed(marks):
        leads = (mark.x, mark.y) in front and mark.role != "rough"
        wanted = leads or mark.role in ("winner", "relaxed")
        free = all(abs(mark.x - x) > LABEL_PX[0] or abs(mark.y - y) > LABEL_PX[1] for x, y in taken)
        label = ""
        if wanted and free and len(taken) < MOST_LABELS:
            taken.append((mark.x, mark.y))
            label = report.rows[mark.number].candidate.label
        found.append(replace(mark, leads=wanted, label=label))
    return found[::-1]


def _front(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Corners of the stairs over all candidates measured in full, fastest first."""
    timed = sorted((row for row in rows if row.costs is not None), key=lambda row: (_time_ms(row), -row.accuracy.value))
    corners: list[tuple[float, float]] = []
    best = -1.0
    for row in timed:
        if row.accuracy.value > best:
            if corners:
                corners.append((_time_ms(row), best))
            best = row.accuracy.value
            corners.append((_time_ms(row), best))
    return corners


def _round_ms(frame: Frame) -> list[float]:
    found = []
    power = math.floor(math.log10(frame.low_ms))
    while 10.0**power <= frame.high_ms:
        found += [step * 10.0**power for step in STEPS[:3] if frame.low_ms <= step * 10.0**power <= frame.high_ms]
        power += 1
    return [float(f"{value:.3g}") for value in found]


def _round_values(frame: Frame) -> list[tuple[float, int]]:
    rough = (frame.high - frame.low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in STEPS if factor * power >= rough)
    places = max(1, -math.floor(math.log10(step)))
    first = math.ceil(frame.low / step)
    last = math.floor(frame.high / step + 1e-9)
    return [(number * step, places) for number in range(first, last + 1)]
