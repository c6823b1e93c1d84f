"""The tables of the report page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ligera.deploy.pick.row import Row
from ligera.deploy.pick.running import PickReport
from ligera.deploy.pick.svg import COLOURS

__all__ = ["candidates_table", "dropped_table", "groups_table", "layers_table", "times_table"]

MOST_DROPPED, MOST_LAYERS = 500, 1000
UNNEEDED = "a more accurate one that fits was found first"


def candidates_table(report: PickReport) -> str:
    """All candidates measured in full, best first, with what each costs."""
    rows = _timed(report)
    if not rows:
        return ""
    header = ("candidate", report.metric, f"p{report.budget.percentile:g} ms", "promised ms", "MB", "mJ/picture")
    header += ("€/million", "peak MB", "start ms", "points lost")
    body = "".join(_candidate(report, number, row) for number, row in rows)
    return _table(header, body, sortable=True)


def times_table(report: PickReport) -> str:
    """p50, p95 and p99 of each, as figures and as a picture on one scale."""
    rows = _timed(report)
    if not rows:
        return ""
    most = max(max(row.costs.latency.p99, row.costs.promised_ms) for _, row in rows)
    most = min(most, 6 * max(row.costs.latency.p50 for _, row in rows))
    body = "".join(
        f'<tr data-row="{number}"><td>{_name(report, row)}</td>{_span(report, row, most)}'
        + "".join(
            f"<td>{value:.2f}</td>" for value in (row.costs.latency.p50, row.costs.latency.p95, row.costs.latency.p99)
        )
        + f"<td>{_or_dash(row.costs.latency.network_p50, '.2f')}</td><td>{row.costs.latency.calls:,}</td>"
        + f"<td>{row.costs.latency.visits}</td></tr>"
        for number, row in rows
    )
    return _table(("candidate", "", "p50", "p95", "p99", "network p50", "calls", "processes"), body)


def groups_table(report: PickReport) -> str:
    """Accuracy by group, with a bar in each cell."""
    rows = [(number, row) for number, row in _timed(report) if row.groups]
    if not rows:
        return ""
    names = list(rows[0][1].groups)
    body = "".join(
        f'<tr data-row="{number}"><td>{_name(report, row)}</td>'
        + "".join(_bar_cell(row.groups.get(name)) for name in names)
        + "</tr>"
        for number, row in rows
    )
    return _table(("candidate", *names), body)


def layers_table(report: PickReport) -> str:
    """What each layer of the winner computes with and takes, as executed."""
    audit = report.layers
    if not audit or not audit["layers"]:
        return ""
    body = "".join(
        f'<tr><td class="words">{escape(str(layer["name"])[:120])}</td>'
        f'<td class="words">{escape(str(layer["kind"]))}</td>'
        f"<td>{escape(str(layer['precision']))}</td><td>{layer['time_ms']:.3f}</td></tr>"
        for layer in audit["layers"][:MOST_LAYERS]
    )
    table = _table(("step", "kind", "precision", "ms"), body)
    return f"<details><summary>{len(audit['layers']):,} steps</summary>{table}</details>"


def dropped_table(report: PickReport) -> str:
    """Candidates that were measured no further, and why."""
    rows = [row for row in report.rows if row.costs is None]
    if not rows:
        return ""
    body = "".join(
        f'<tr><td>{_name(report, row)}</td><td class="words">{escape(_why(row))}</td>'
        f"<td>{_or_dash(row.rough_ms, '.1f')}</td>"
        f"<td>{'-' if row.accuracy is None else f'{row.accuracy.value:.3f}'}</td>"
        f"<td>{'-' if row.accuracy is None else f'{row.accuracy.pictures:,}'}</td></tr>"
        for row in rows[:MOST_DROPPED]
    )
    table = _table(("candidate", "why", "about ms", report.metric, "pictures"), body)
    return f"<details><summary>{len(rows):,} candidates</summary>{table}</details>"


def _why(row: Row) -> str:
    heard = f"; what it answers is known from {row.heard_in}" if row.heard_in else ""
    return (row.dropped or UNNEEDED) + heard


def _timed(report: PickReport) -> list[tuple[int, Row]]:
    rows = [(number, row) for number, row in enumerate(report.rows) if row.costs is not None]
    return sorted(rows, key=lambda pair: (-pair[1].rank, pair[1].costs.promised_ms))


def _table(header: Sequence[str], body: str, *, sortable: bool = False) -> str:
    cells = "".join(
        f"<th>{f'<button>{escape(name)}</button>' if sortable and place else escape(name)}</th>"
        for place, name in enumerate(header)
    )
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def _candidate(report: PickReport, number: int, row: Row) -> str:
    costs, accuracy = row.costs, row.accuracy
    broken = costs.broken(report.budget)
    time, guess = "~" if row.noise else "", "~" if costs.energy_j.source == "estimated" else ""
    joules = costs.energy_j.value
    cells = [
        (accuracy.value, f"{accuracy.value:.3f}{_interval(row)}", ""),
        (costs.latency.value, f"{time}{costs.latency.value:.2f}", ""),
        (costs.promised_ms, f"{time}{costs.promised_ms:.2f}", "max_ms"),
        (costs.size_mb, _or_dash(costs.size_mb, ".2f"), "max_mb"),
        (joules, "-" if joules is None else f"{guess}{1e3 * joules:.3g}", "max_joule"),
        (row.euros_per_million, f"{guess}{_or_dash(row.euros_per_million, '.2g')}", ""),
        (row.peak_mb, _or_dash(row.peak_mb, ".0f"), ""),
        (row.cold_start_ms, _or_dash(row.cold_start_ms, ".0f"), ""),
        (costs.drop_points, _lost(row), "max_drop"),
    ]
    kind = "winner" if row is report.choice.winner else "over" if broken else ""
    inner = "".join(
        f'<td data-value="{"" if value is None else value}"{_class(limit in broken)}>{text}</td>'
        for value, text, limit in cells
    )
    return f'<tr class="{kind}" data-row="{number}"><td>{_name(report, row)}{_badge(report, row)}</td>{inner}</tr>'


def _class(broken: bool) -> str:
    return ' class="broken"' if broken else ""


def _interval(row: Row) -> str:
    own = row.accuracy
    return "" if own.low is None else f'<span class="how">{own.low:.3f} to {own.high:.3f}</span>'


def _lost(row: Row) -> str:
    if row.candidate.facts.precision == "fp32":
        return "-"
    points = row.costs.drop_points
    return "unknown" if points is None else f"{points:.2f}"


def _badge(report: PickReport, row: Row) -> str:
    if row is report.choice.winner:
        return '<span class="badge good">winner</span>'
    if row is report.choice.relaxed:
        return '<span class="badge">with 20 % more</span>'
    if any(row is missed for missed in report.choice.missed):
        return '<span class="badge bad">just missed</span>'
    return ""


def _name(report: PickReport, row: Row) -> str:
    names = list(dict.fromkeys(other.candidate.facts.name for other in report.rows))
    colour = names.index(row.candidate.facts.name) % COLOURS
    how = row.candidate.key().removeprefix(row.candidate.label).lstrip(", ")
    return (
        f'<i class="dot c{colour}"></i><span class="name">{escape(row.candidate.label)}</span>'
        f'<span class="how">{escape(how)}</span>'
    )


def _bar_cell(value: float | None) -> str:
    if value is None:
        return '<td data-value="">-</td>'
    return f'<td data-value="{value}">{value:.3f}<span class="bar"><i style="width:{100 * value:.1f}%"></i></span></td>'


def _span(report: PickReport, row: Row, most_ms: float) -> str:
    def left(ms: float) -> float:
        return min(100.0, 100 * ms / most_ms)

    latency = row.costs.latency
    names = list(dict.fromkeys(other.candidate.facts.name for other in report.rows))
    colour = names.index(row.candidate.facts.name) % COLOURS
    start, end = left(latency.p50), left(latency.p99)
    marks = "".join(f'<u style="left:{left(ms):.1f}%"></u>' for ms in (latency.p50, latency.p95, latency.p99))
    limit = report.budget.max_ms
    bound = f'<s style="left:{left(limit):.1f}%"></s>' if limit is not None and limit <= most_ms else ""
    return (
        f'<td><span class="span c{colour}"><i style="left:{start:.1f}%;width:{end - start:.1f}%"></i>{marks}'
        f'<em style="left:{left(row.costs.promised_ms):.1f}%"></em>{bound}</span></td>'
    )


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
