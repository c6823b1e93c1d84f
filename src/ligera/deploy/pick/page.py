"""The report as one self-contained page: nothing is loaded from anywhere, and all text of strangers is escaped."""

from __future__ import annotations

from html import escape

from ligera.deploy.pick.page_style import SCRIPT, STYLE
from ligera.deploy.pick.page_tables import candidates_table, dropped_table, groups_table, layers_table, times_table
from ligera.deploy.pick.plot import lay_out
from ligera.deploy.pick.row import Row
from ligera.deploy.pick.running import PickReport
from ligera.deploy.pick.svg import COLOURS, svg_of
from ligera.deploy.pick.words import command_for, spent_words

__all__ = ["page_of"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def page_of(report: PickReport) -> str:
    """The whole HTML document."""
    title = f"ligera pick {report.task}: {_winner_name(report)}"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>",
        _head(report),
        _picture(report),
        _section(
            "Measured in full",
            _measured_words(report),
            candidates_table(report),
        ),
        _section("Times", _times_words(report), times_table(report)),
        _section(
            f"{report.metric} by {report.group_name}", "Of the candidates measured in full.", groups_table(report)
        ),
        _section("Precision of each layer", _layers_words(report), layers_table(report)),
        _reproduce(report),
        _section("Measured no further", "What surely loses is dropped early; this is why.", dropped_table(report)),
        _surroundings(report),
        '</main><div id="tip" role="tooltip"></div>',
        *(_tip(report, number, row) for number, row in enumerate(report.rows) if row.accuracy is not None),
        f"<script>{SCRIPT}</script></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _winner_name(report: PickReport) -> str:
    winner = report.choice.winner
    return "nothing fits" if winner is None else winner.candidate.label


def _section(title: str, words: str, content: str) -> str:
    if not content:
        return ""
    return f"<section><h2>{escape(title)}</h2><p>{escape(words)}</p>{content}</section>"


def _head(report: PickReport) -> str:
    winner = report.choice.winner
    words = report.words()
    how = "" if winner is None else winner.candidate.key().removeprefix(winner.candidate.label).lstrip(", ")
    heading = "Nothing fits the budget" if winner is None else winner.candidate.label
    reasons = "".join(f"<li>{escape(line)}</li>" for line in words.details)
    warnings = "".join(f'<p class="warning">{escape(line)}</p>' for line in report.warnings)
    left_out = "".join(
        f'<p class="warning">left out {escape(name)}: {escape(reason)}</p>' for name, reason in report.left_out.items()
    )
    data = f"{escape(report.task)} · {escape(report.data)} · budget: {escape(report.budget.words())}"
    return (
        f'<header><p class="eyebrow">ligera pick</p><h1>{escape(heading)}</h1>'
        f"<p>{escape(how)}{'<br>' if how else ''}{data}</p>"
        f'<div class="tiles">{_tiles(report, winner)}</div>'
        f'<ul class="reasons">{reasons}</ul>{_use(report)}{warnings}{left_out}</header>'
    )


def _use(report: PickReport) -> str:
    winner = report.choice.winner
    return "" if winner is None else f"<pre>{escape(command_for(report, winner))}</pre>"


def _tiles(report: PickReport, winner: Row | None) -> str:
    if winner is None:
        offers = [offer.partition(" lets in ") for offer in report.choice.enough]
        tiles = [_tile(wanted, f"lets in {who}", "bad") for wanted, _, who in offers]
        return "".join(tiles) or _tile("none", "candidate could be measured", "bad")
    costs, accuracy = winner.costs, winner.accuracy
    mark = "~" if winner.noise else ""
    interval = "" if accuracy.low is None else f", {accuracy.low:.3f} to {accuracy.high:.3f}"
    joules, euros = costs.energy_j.value, winner.euros_per_million
    guess = "~" if costs.energy_j.source == "estimated" else ""
    tiles = [
        _tile(f"{accuracy.value:.3f}", f"{report.metric}{interval}", "good"),
        _tile(
            f"{mark}{costs.latency.value:.2f} ms",
            f"p{report.budget.percentile:g}, promised {mark}{costs.promised_ms:.2f}",
        ),
        _tile("unknown" if costs.size_mb is None else f"{costs.size_mb:.2f} MB", "its file"),
        _tile("unknown" if joules is None else f"{guess}{1e3 * joules:.3g} mJ", "energy of a picture"),
        _tile("unknown" if euros is None else f"{guess}{euros:.2g} €", "energy of a million pictures"),
    ]
    return "".join(tiles)


def _tile(value: str, words: str, kind: str = "") -> str:
    return f'<div class="tile {kind}"><b>{escape(value)}</b><span>{escape(words)}</span></div>'


def _picture(report: PickReport) -> str:
    plot = lay_out(report)
    if plot is None:
        return ""
    legend = "".join(
        f'<span class="c{place % COLOURS}"><i class="dot c{place % COLOURS}"></i>'
        f'<span class="soft">{escape(name)}</span></span>'
        for place, name in enumerate(plot.models)
    )
    words = (
        "Every candidate by time and accuracy: filled ones keep the budget, hollow ones break it, faint ones were "
        "measured no further. Whiskers reach over 95 % of redrawn pictures and up to the promised time; the line joins "
        "what nothing else beats. Point at one to see more."
    )
    return _section("Accuracy against time", words, f'{svg_of(plot)}<div class="legend">{legend}</div>')


def _measured_words(report: PickReport) -> str:
    estimated = any(row.costs.energy_j.source == "estimated" for row in report.rows if row.costs is not None)
    noisy = any(row.noise for row in report.rows)
    said = ["Best first; a column's title sorts. Points lost are those that precision cost."]
    if estimated:
        said.append(f"Energy marked ~ is estimated ({report.energy_note}).")
    if noisy:
        said.append("Times marked ~ were taken on a busy machine.")
    return " ".join(said)


def _times_words(report: PickReport) -> str:
    return (
        "Median, 95th and 99th percentile of a call, from decoded picture to answer; dotted: promised, what a fresh "
        "process keeps in 19 of 20 cases."
    )


def _layers_words(report: PickReport) -> str:
    """``Of the winner's layers with weights 23 ran in int8 and 4 in fp32; 61 % of its time was spent in int8.``"""
    audit = report.layers
    if not audit:
        return ""
    counts = " and ".join(f"{count} in {precision}" for precision, count in audit["weighted"].items())
    shares = ", ".join(f"{share:.0%} of its time in {precision}" for precision, share in audit["shares"].items())
    return f"As the runtime itself tells. Of the winner's layers with weights {counts or 'none'} ran; {shares}."


def _reproduce(report: PickReport) -> str:
    rows = sorted((row for row in report.rows if row.costs is not None), key=lambda row: -row.rank)
    if not rows:
        return ""
    whole = f"<p>The whole choice again:</p><pre>{escape(report.command())}</pre>"
    parts = [
        f"<details><summary>{escape(row.candidate.key())}</summary><pre>{escape(command_for(report, row))}</pre>"
        f'<p class="soft">SHA-256 {escape(row.candidate.facts.sha256)}; measured {escape(row.measured_at)}; '
        f"licence: {escape(row.candidate.facts.licence or 'not stated')}</p></details>"
        for row in rows
    ]
    return f"<section><h2>How to reproduce it</h2>{whole}{''.join(parts)}</section>"


def _surroundings(report: PickReport) -> str:
    device, software = report.environment["device"], report.environment["software"]
    facts = {
        "Device": f"{device['processor']}, {device['usable_cores']} of {device['cores']} cores, {device['system']}",
        "Software": ", ".join(f"{name} {version}" for name, version in software.items()),
        "Accuracy": report.protocol,
        "Pictures": f"{report.pictures:,} labelled, {report.timed_pictures} of them timed, spread over their sizes",
        "Energy": f"{report.energy_note or 'unknown'}; {report.tariff}",
        "Spent": spent_words(report),
    }
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return f"<section><h2>How it was measured</h2><dl>{items}</dl></section>"


def _tip(report: PickReport, number: int, row: Row) -> str:
    own = row.accuracy
    lines = [row.candidate.key(), f"{row.metric} {own.value:.3f} on {own.pictures:,} pictures"]
    if own.low is not None:
        lines[1] += f" ({own.low:.3f} to {own.high:.3f})"
    if row.costs is not None:
        latency = row.costs.latency
        lines.append(f"p50 {latency.p50:.2f}, p95 {latency.p95:.2f}, p99 {latency.p99:.2f} ms")
        lines.append(f"promised {row.costs.promised_ms:.2f} ms")
        if row.costs.energy_j.value is not None:
            lines.append(f"{1e3 * row.costs.energy_j.value:.3g} mJ a picture, {row.costs.energy_j.source}")
    elif row.rough_ms is not None:
        lines.append(f"about {row.rough_ms:.2f} ms in a few runs")
    lines += [row.dropped] if row.dropped else []
    return f'<template data-tip="{number}">{escape(chr(10).join(lines))}</template>'
