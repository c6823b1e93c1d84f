"""The Pareto picture as inline SVG, coloured by the page's style so that it follows light and dark."""

from __future__ import annotations

from html import escape

from ligera.deploy.pick.plot import BOTTOM_PX, HEIGHT_PX, LEFT_PX, RIGHT_PX, TOP_PX, WIDTH_PX, Mark, Plot

__all__ = ["COLOURS", "svg_of"]

# As many as the page's style has.
COLOURS = 8
RADII_PX = {"winner": 8.0, "relaxed": 6.5, "fits": 5.5, "over": 5.0, "rough": 3.0}
FLOOR_PX = HEIGHT_PX - BOTTOM_PX
EDGE_PX = WIDTH_PX - RIGHT_PX


def svg_of(plot: Plot) -> str:
    """The whole ``<svg>`` element; each mark carries its row's number in ``data-row``."""
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" role="img" '
        f'aria-label="{escape(plot.y_title)} over time of every candidate">',
        *_budget(plot),
        *_axes(plot),
        _front(plot),
        *(_mark(mark) for mark in plot.marks),
        *(_label(mark) for mark in plot.marks if mark.label),
        "</svg>",
    ]
    return "\n".join(parts)


def _budget(plot: Plot) -> list[str]:
    if plot.budget_x is None:
        return []
    x, wider = plot.budget_x, plot.relaxed_x or plot.budget_x
    height = FLOOR_PX - TOP_PX
    return [
        f'<rect class="over" x="{x:.1f}" y="{TOP_PX}" width="{max(0.0, EDGE_PX - x):.1f}" height="{height}"/>',
        f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP_PX}" y2="{FLOOR_PX}"/>',
        f'<line class="limit wider" x1="{wider:.1f}" x2="{wider:.1f}" y1="{TOP_PX}" y2="{FLOOR_PX}"/>',
        f'<text class="limit-text" x="{x - 6:.1f}" y="{TOP_PX - 9}" text-anchor="end">budget</text>',
        f'<text class="limit-text" x="{wider + 4:.1f}" y="{TOP_PX - 9}">+20 %</text>',
    ]


def _axes(plot: Plot) -> list[str]:
    parts = []
    for tick in plot.x_ticks:
        x = f"{tick.place_px:.1f}"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP_PX}" y2="{FLOOR_PX}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{FLOOR_PX + 20}" text-anchor="middle">{tick.text}</text>')
    for tick in plot.y_ticks:
        y = tick.place_px
        parts.append(f'<line class="grid" x1="{LEFT_PX}" x2="{EDGE_PX}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT_PX - 10}" y="{y + 4:.1f}" text-anchor="end">{tick.text}</text>')
    middle = (LEFT_PX + EDGE_PX) / 2
    title = f'<text class="title" x="{middle}" y="{HEIGHT_PX - 10}" text-anchor="middle">{escape(plot.x_title)}</text>'
    beside = f'<text class="title" x="{LEFT_PX - 10}" y="{TOP_PX - 9}" text-anchor="end">{escape(plot.y_title)}</text>'
    return [*parts, title, beside]


def _front(plot: Plot) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in plot.front)
    return f'<polyline class="front" points="{points}"/>' if len(plot.front) > 1 else ""


def _mark(mark: Mark) -> str:
    x, y, radius = mark.x, mark.y, RADII_PX[mark.role]
    parts = []
    if mark.across is not None:
        left, right = mark.across
        parts.append(f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    if mark.upright is not None:
        low, high = mark.upright
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
    if mark.role in ("winner", "relaxed"):
        parts.append(f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="{radius + 5}"/>')
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>')
    parts.append(f'<circle class="touch" cx="{x:.1f}" cy="{y:.1f}" r="12"/>')
    leads = " leads" if mark.leads else ""
    return f'<g class="mark {mark.role}{leads} c{mark.colour % COLOURS}" data-row="{mark.number}">{"".join(parts)}</g>'


def _label(mark: Mark) -> str:
    side, anchor = mark.label_side
    return (
        f'<text class="label {mark.role}" x="{mark.x + side:.1f}" y="{mark.y - 9:.1f}" text-anchor="{anchor}">'
        f"{escape(mark.label)}</text>"
    )
