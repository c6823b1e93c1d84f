"""The answer in sentences: who won and why, what was just missed, what a wider budget would buy, on what it stands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ligera.deploy.pick.budget import LIMITS, RELAXED_SHARE, Budget
from ligera.deploy.pick.row import Row

if TYPE_CHECKING:
    from ligera.deploy.pick.running import PickReport

__all__ = ["Words", "command_for", "mark_of", "pick_command", "spent_words", "words_of"]

UNITS: Mapping[str, str] = {
    "max_ms": "{:.1f} ms",
    "max_mb": "{:.2f} MB",
    "max_joule": "{:.3g} J",
    "max_drop": "{:.2f} points",
}
# How a model of each task is used, where it is not ``detect``.
VERBS: Mapping[str, str] = {"classify": "classify PICTURE", "people": "watch 0"}


@dataclass(frozen=True, slots=True)
class Words:
    """``answer`` is one line, ``details`` reasons below it, ``footing`` how it was found out."""

    answer: str
    details: tuple[str, ...]
    footing: tuple[str, ...]


def words_of(report: PickReport) -> Words:
    """The report's answer in words."""
    choice = report.choice
    if choice.winner is None:
        answer = f"Nothing fits the budget ({report.budget.words()})."
        details = [f"this would: {offer}" for offer in choice.enough] or ["no candidate could be measured"]
        details += [_missed(row, report.budget, "nearest") for row in choice.missed]
    else:
        answer = f"{choice.winner.candidate.key()}: {_accuracy(choice.winner)}, {_time(choice.winner, report.budget)}"
        details = [*_why(report, choice.winner), *(_missed(row, report.budget, "just missed") for row in choice.missed)]
        details += [_relaxed(report), *_thrifty(report)]
    if report.searched is not None:
        details.append(report.searched.words())
    return Words(answer, tuple(details), _footing(report))


def mark_of(report: PickReport, row: Row) -> str:
    """``*`` for the winner, ``+`` for what a budget wider by a fifth would buy, ``!`` for what breaks the budget."""
    choice = report.choice
    if row is choice.winner:
        return "*"
    if row is choice.relaxed:
        return "+"
    return "!" if row.costs is not None and row.costs.broken(report.budget) else ""


def command_for(report: PickReport, row: Row, model: str | None = None) -> str:
    """The command that runs the row's model, or the same as the file ``model``, as it was measured."""
    facts, verb = row.candidate.facts, VERBS.get(report.task, "detect PICTURE")
    size = "" if row.candidate.max_side is None else f" --max-side {row.candidate.max_side}"
    runtime = f" --runtime {row.candidate.runtime}" if facts.choice_of_runtime else ""
    return f"ligera {verb} --model {shlex.quote(model or facts.model)}{size}{runtime} --threads {row.candidate.threads}"


def pick_command(report: PickReport) -> str:
    """The command that gives this report again."""
    options: list[str] = []
    for name, flag in LIMITS.items():
        value = getattr(report.budget, name)
        options += [] if value is None else [f"{flag} {value:g}"]
    if report.budget.percentile != Budget().percentile:
        options.append(f"--percentile {report.budget.percentile:g}")
    field = report.field
    lists = (
        ("--model", field.models),
        ("--size", field.sizes),
        ("--runtime", field.runtimes),
        ("--threads", field.threads),
        ("--precision", field.conversions.precisions),
        ("--calibration", field.conversions.methods),
    )
    options += [f"{flag} {shlex.quote(str(value))}" for flag, values in lists for value in values]
    options += [] if field.builtin else ["--no-builtin"]
    options += [f"--batch {field.batch}"] if field.batch > 1 else []
    pictures = field.conversions.calibrate
    options += [] if pictures is None else [f"--calibrate {shlex.quote(str(pictures))}"]
    options += [] if field.protocol is None else [f"--protocol {field.protocol}"]
    found = report.searched
    options += [] if found is None else [f"--include-search {found.asked_s:g}s --train {shlex.quote(found.train)}"]
    return " ".join(["ligera pick", report.task, "--data", shlex.quote(report.data), *options])


def _accuracy(row: Row) -> str:
    own = row.accuracy
    interval = "" if own.low is None else f" ({own.low:.3f} to {own.high:.3f})"
    return f"{row.metric} {own.value:.3f}{interval}"


def _time(row: Row, budget: Budget) -> str:
    mark = "~" if row.noise else ""
    return (
        f"p{budget.percentile:g} {mark}{row.costs.latency.value:.1f} ms, promised {mark}{row.costs.promised_ms:.1f} ms"
    )


def _why(report: PickReport, winner: Row) -> list[str]:
    rivals = [row for row in report.rows if row.costs is not None and row is not winner]
    fitting = [row for row in rivals if not row.costs.broken(report.budget)]
    limit = "" if report.budget.is_open else f" that keep{'s' if not fitting else ''} {report.budget.words()}"
    if not fitting:
        return [f"why: of those timed in full the only one{limit}"]
    second = max(fitting, key=lambda row: row.rank)
    ahead = 100 * (winner.accuracy.value - second.accuracy.value)
    lead = f"{ahead:.1f} points ahead of" if ahead >= 0.1 else "as accurate as, and faster than,"
    return [f"why: the most accurate of those{limit}; {lead} {second.candidate.key()}"]


def _missed(row: Row, budget: Budget, how: str) -> str:
    parts = []
    for name, value in row.costs.broken(budget).items():
        needs = "is unknown" if value is None else f"needs {UNITS[name].format(value)}"
        parts.append(f"{LIMITS[name]} {needs}")
    return f"{how}: {row.candidate.key()}, {_accuracy(row)}: {', '.join(parts)}"


def _relaxed(report: PickReport) -> str:
    relaxed, winner = report.choice.relaxed, report.choice.winner
    if report.budget.is_open:
        return "no limit was given: this is the most accurate there is"
    if relaxed is None:
        return f"{100 * RELAXED_SHARE:.0f} % more budget would buy nothing more accurate"
    gain = 100 * (relaxed.accuracy.value - winner.accuracy.value)
    who = f"{relaxed.candidate.key()}, {_accuracy(relaxed)}"
    return f"{100 * RELAXED_SHARE:.0f} % more budget would buy {gain:.1f} points: {who}"


def _thrifty(report: PickReport) -> list[str]:
    thrifty, winner = report.choice.thrifty, report.choice.winner
    if thrifty is None:
        return []
    share = 100 * thrifty.costs.promised_ms / winner.costs.promised_ms
    behind = 100 * (winner.accuracy.value - thrifty.accuracy.value)
    how = f"takes {share:.0f} % of that time and is {behind:.1f} points behind"
    return [f"worth a look: {thrifty.candidate.key()} {how}"]


def spent_words(report: PickReport) -> str:
    """What measuring took, now and before."""
    if not report.cached:
        return f"{report.cost_s:.0f} s of measuring"
    spent = f"{report.cost_s:.0f} s of measuring" if report.measured else "nothing was measured anew"
    earlier_s = max(0.0, report.worth_s - report.cost_s)
    figures = f"{report.cached} figure{'s' if report.cached > 1 else ''}"
    return f"{spent}; {figures} from the cache, which had taken {earlier_s:.0f} s"


def _footing(report: PickReport) -> tuple[str, ...]:
    timed = [row for row in report.rows if row.costs is not None]
    device = report.environment["device"]["processor"]
    visits = max((row.costs.latency.visits for row in timed), default=0)
    lines = [
        f"{len(timed)} of {len(report.rows)} candidates timed in full; {report.pictures:,} labelled pictures; {device}",
        f"times: decoded picture to answer, {report.timed_pictures} pictures in turns, {visits} fresh processes each;"
        " promised: what a fresh process keeps in 19 of 20 cases",
        f"{report.protocol}",
    ]
    if report.energy_note:
        lines.append(f"energy: {report.energy_note}; {report.tariff}")
    lines.append(spent_words(report))
    return tuple(lines)
