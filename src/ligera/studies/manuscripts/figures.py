"""``pareto.png``: box AP against the euros of a training, every case labelled, the front drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ligera.files import write_whole
from ligera.studies.manuscripts.cases import Case
from ligera.studies.manuscripts.measured import Measured

matplotlib.use("agg")

__all__ = ["Point", "draw", "front_of", "points_of"]

# Where a label may stand beside its point, in points of type, the first free place taken.
PLACES = ((6, 4), (6, -11), (-6, 4), (-6, -11), (0, 9), (0, -16), (14, 14), (14, -22), (-14, 14), (-14, -22))
# With euros further apart than this, cheap cases would all stand at the left edge.
WIDE = 8.0
LEAST_TOP = 5.0


@dataclass(frozen=True, slots=True)
class Point:
    """Means over a case's seeds: EUR cents of a training, box AP in percent and half its 95 % interval."""

    case: Case
    cents: float
    ap: float
    half: float


def points_of(measured: Measured) -> list[Point]:
    """Cases whose euros and AP are known."""
    points = []
    for case in measured.runs:
        euros, ap = measured.figure(case, "euros"), measured.score(case, "box", "ap")
        if euros is not None and ap is not None:
            points.append(Point(case, 100 * euros.mean, ap.mean, ap.half))
    return points


def front_of(points: Sequence[Point]) -> list[Point]:
    """Those that no other beats in both, cheapest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cents, -point.ap)):
        if not front or point.ap > front[-1].ap:
            front.append(point)
    return front


def draw(measured: Measured, note: str, path: Path) -> list[Path]:
    """The picture, or none where no case has both figures."""
    points = points_of(measured)
    if not points:
        return []
    figure = Figure(figsize=(8.5, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    front = front_of(points)
    panel.step([p.cents for p in front], [p.ap for p in front], where="post", color="C0", linewidth=1.2, zorder=1)
    for point in points:
        best = point in front
        panel.errorbar(
            *(point.cents, point.ap, None if point.half != point.half else point.half),
            **{"fmt": "o", "color": "C0" if best else "0.55", "markersize": 6 if best else 4, "capsize": 3},
        )
    cents = [point.cents for point in points]
    if min(cents) > 0 and max(cents) > WIDE * min(cents):
        panel.set_xscale("log")
    panel.margins(0.12)
    # what has hardly learnt looks it
    panel.set_ylim(0, max(LEAST_TOP, 1.12 * max(point.ap for point in points)))
    panel.set_xlabel("EUR cents a training")
    panel.set_ylabel("box AP on the validation pages, %")
    panel.set_title(f"What each point of AP costs\n{note}", fontsize=9)
    panel.grid(alpha=0.3)
    _label(figure, panel, points, front)
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png", dpi=110))
    return [path]


def _label(figure: Figure, panel: Axes, points: Sequence[Point], front: Sequence[Point]) -> None:
    """Each point's case beside it, those of the front first, none over another where there is room."""
    figure.draw_without_rendering()
    taken: list[Bbox] = []
    for point in [*front, *(point for point in points if point not in front)]:
        case = point.case
        text = f"{case.backbone}, {case.epochs} e, b {case.batch}, {case.steps}"
        for number, (x, y) in enumerate(PLACES):
            label = panel.annotate(
                *(text, (point.cents, point.ap), (x, y), "data", "offset points"),
                **{"fontsize": 7, "color": "0.1" if point in front else "0.45"},
                **{"ha": "left" if x > 0 else "right" if x < 0 else "center"},
            )
            box = label.get_window_extent()
            inside = panel.bbox.x0 <= box.x0 and box.x1 <= panel.bbox.x1
            if (inside and not any(box.overlaps(other) for other in taken)) or number == len(PLACES) - 1:
                taken.append(box)
                break
            label.remove()
