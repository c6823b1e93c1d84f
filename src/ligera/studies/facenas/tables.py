"""Tables of the study: where searches land, whether they pay, the paper's tables 33, 43 and 52, and which devices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ligera.models.catalogue import find
from ligera.models.summary import summarize
from ligera.search.estimate import ESTIMATED
from ligera.search.table import LatencyTable, read_table
from ligera.studies.facenas.measuring import Clock
from ligera.studies.facenas.paper import DEVICES, TABLES, PublishedTable
from ligera.studies.facenas.plan import FOUND, RANDOM_SEARCH, Contender, Landing, Results
from ligera.studies.statistics import Spread, paired, spread
from ligera.studies.table import Table

__all__ = ["NOT_MEASURED", "scores", "tables", "verdict"]

NOT_MEASURED = "not measured"
WITHIN, OF_TEN = 0.03, 0.9
MOST_UNEQUAL = 1.3
AIM_FASTER, AIM_POINTS = 1.63, 3.1
MOBILE = "RetinaFace-mobile0.25"


def tables(results: Results, clock: Clock, where: str) -> list[Table]:
    """Every table of the study; ``where`` says on what nets were trained."""
    made = [_landing(results, clock), _pay(results, clock, where)]
    return [*made, *(_published(table, results, clock) for table in TABLES), _devices(results)]


def _landing(results: Results, clock: Clock) -> Table:
    """Distance from the target of the likeliest net and of the one taken, over seeds, for each loss."""
    near_it = f"within {WITHIN:.0%}"
    columns = ("loss", "likeliest net, off target", near_it, "net taken, off target", "measured, off", near_it)
    rows = []
    for loss in results.settings.losses:
        own = [landing for landing in results.landings if landing.loss == loss]
        likely, taken = ([getattr(one, name) - 1 for one in own] for name in ("likely", "taken"))
        times = [_measured_off(landing, results, clock) for landing in own]
        timed = [time for time in times if time is not None]
        shown = (_percents(timed), _near(timed)) if len(timed) == len(own) else (NOT_MEASURED, "-")
        rows.append((loss, _percents(likely), _near(likely), _percents(taken), *shown))
    note = (
        f"{results.settings.seeds} paired seed(s), one warm-up each; target {results.target_ms:g} ms, "
        f"lambda {results.settings.strength:g}; mean and range of (latency - target) / target by the table "
        f"({_source(results.table)}). Net taken: the most probable within {results.settings.land_within:.0%} of the "
        f"target, by the clock where the search could time it. Measured: whole nets, timed anew after all searches "
        f"on {clock.where}."
    )
    return Table("(a) Where searches land", columns, tuple(rows), note)


def _near(off: Sequence[float]) -> str:
    return f"{sum(abs(one) <= WITHIN for one in off)} of {len(off)}"


def _measured_off(landing: Landing, results: Results, clock: Clock) -> float | None:
    net = results.costs.space.architecture(landing.name)
    time_ms = clock(net.name, net.spec(), results.costs.space.side(None))
    return None if time_ms is None else time_ms / results.target_ms - 1


def _pay(results: Results, clock: Clock, where: str) -> Table:
    settings = results.settings
    columns = (
        *("net", "seeds", "by table, ms", "measured, ms", "M parameters", "M multiply-adds"),
        *("search s", "training s", "epochs", "AP50 %", "against found, points"),
    )
    side_px = results.costs.space.side(None)
    rows = []
    for kind, runs in results.contenders.items():
        summaries = [summarize(one.architecture or find(one.model), (side_px, side_px)) for one in runs]
        times = [clock(one.model, one.architecture or find(one.model), side_px) for one in runs]
        rows.append(
            (
                *(kind, str(len(runs)), _by_table(runs, results)),
                NOT_MEASURED if None in times else _mean([t for t in times if t is not None]),
                _mean([one.parameters / 1e6 for one in summaries]),
                _mean([one.macs / 1e6 for one in summaries]),
                f"{np.mean([one.search_s for one in runs]):.0f}",
                f"{np.mean([_training_s(one, results) for one in runs]):.0f}",
                _mean([float(one.epochs) for one in runs]),
                _interval(spread(scores(runs))),
                "-" if kind == FOUND else _interval(paired(scores(runs), scores(results.contenders[FOUND]))),
            )
        )
    note = (
        f"Equal total {settings.clock} time: search and profiling ({settings.profile_minutes:g} min) count, and who "
        f"spends none on them trains longer. {where}; pictures of {settings.side_px} px; AP at IoU 0.5 on validation "
        f"pictures that no search saw, after the last epoch, mean and 95 % interval over seeds, differences paired. "
        f"Latency, parameters and multiply-adds for one picture of {side_px} px; the table's times are "
        f"{_source(results.table)}. {MOBILE} and its like have another head, so their loss is multibox."
    )
    return Table("(b) Does search pay?", columns, tuple(rows), note)


def _published(table: PublishedTable, results: Results, clock: Clock) -> Table:
    """A table of the paper with what we can say of the same nets."""
    columns = (
        *("net", "easy %", "medium %", "hard %", "mean %", f"backbone on {table.device}, ms"),
        *("ours: M parameters", "ours: G multiply-adds", "ours: whole net here, ms", "ours: AP50 %"),
    )
    size = (table.batch, table.side_px)
    rows = []
    for name, said in table.nets.items():
        one = summarize(name, (table.side_px, table.side_px))
        here = clock(name, find(name), table.side_px, table.batch) if size in results.settings.measured_sizes else None
        trained = results.contenders.get(name)
        rows.append(
            (
                name,
                *(f"{value:.2f}" for value in (said.easy, said.medium, said.hard, said.mean)),
                f"{said.latency_ms:g}",
                f"{one.parameters / 1e6:.2f}",
                f"{one.macs / 1e9:.3g}",
                NOT_MEASURED if here is None else f"{here:.1f}",
                "not trained" if trained is None else _interval(spread(scores(trained))),
            )
        )
    note = (
        f"The paper's figures are WIDER FACE AP after full training and the backbone alone at "
        f"[{table.batch},{table.side_px},{table.side_px}]; ours are the whole net (multiply-adds for one picture), "
        f"on {clock.where}, and AP50 under the study's short recipe: they rank nets, they do not repeat the paper's."
    )
    return Table(f"(c) The paper's table {table.number}", columns, tuple(rows), note)


def _devices(results: Results) -> Table:
    """Tables there are, and for the paper's devices the command that makes theirs."""
    columns = ("device", "threads", "runtime", "precision", "entries", "what there is")
    rows = []
    others = [read_table(path) for path in results.settings.tables]
    for table in (results.table, *others):
        device = table.device
        what = ESTIMATED if device.processor == ESTIMATED else f"measured {table.made_at:%Y-%m-%d}"
        name = "none" if device.processor == ESTIMATED else device.processor
        rows.append((name, str(device.threads), device.runtime, device.precision, str(len(table.rows)), what))
    for name, (target_ms, space) in DEVICES.items():
        command = f"{NOT_MEASURED}; there: ligera profile {space} -o table.json; the paper's target {target_ms:g} ms"
        rows.append((name, "-", "-", "-", "-", command))
    note = "Then, where the pictures are: ligera search recipes/search-tiny.yaml --table table.json --target-ms T"
    return Table("(d) Devices", columns, tuple(rows), note)


def verdict(results: Results, clock: Clock) -> list[str]:
    """What the numbers say, and what they cannot say."""
    said = []
    for loss in results.settings.losses:
        own = [one for one in results.landings if one.loss == loss]
        times = [_measured_off(one, results, clock) for one in own]
        by_table = None in times
        off = [one.taken - 1 for one in own] if by_table else [time for time in times if time is not None]
        reached = "reaches" if sum(abs(one) <= WITHIN for one in off) >= OF_TEN * len(own) else "does not reach"
        said.append(
            f"loss {loss}: the net taken lies within {WITHIN:.0%} of the target for {_near(off)} seed(s) by the "
            f"{'table alone' if by_table else 'clock'}: it {reached} 9 of 10; the likeliest net for "
            f"{_near([one.likely - 1 for one in own])} by the table"
        )
    found, rival = (scores(results.contenders[kind]) for kind in (FOUND, RANDOM_SEARCH))
    difference = paired(found, rival)
    if math.isnan(difference.half):
        said.append("gates against random search at equal time: one seed, so nothing can be said")
    elif difference.low > 0:
        said.append(f"gates are better than random search at equal time, by {_interval(difference)} points")
    else:
        said.append(
            f"gates are not shown to be better than random search at equal time ({_interval(difference)} points), "
            "which is then the better default"
        )
    return [*said, *_against_mobile(results, clock), *_limits(results)]


def _against_mobile(results: Results, clock: Clock) -> list[str]:
    runs = results.contenders.get(MOBILE)
    if runs is None:
        return []
    side_px = results.costs.space.side(None)
    theirs = clock(MOBILE, find(MOBILE), side_px)
    times = [clock(one.model, one.architecture, side_px) for one in results.contenders[FOUND]]
    points = paired(scores(results.contenders[FOUND]), scores(runs))
    if theirs is None or None in times:
        return [f"found net against {MOBILE}: {_interval(points)} points of AP50; neither was timed"]
    faster = theirs / float(np.mean([time for time in times if time is not None]))
    reached = "reaches" if faster >= AIM_FASTER and points.mean >= AIM_POINTS else "does not reach"
    return [
        f"found net against {MOBILE}: {faster:.2f} times as fast, {_interval(points)} points of AP50: it {reached} the "
        f"paper's {AIM_FASTER} times and {AIM_POINTS} points"
    ]


def _limits(results: Results) -> list[str]:
    settings, said = results.settings, []
    if results.table.device.processor == ESTIMATED:
        said.append("it cannot show that a net found keeps its latency on a device: no time in the table is measured")
    if settings.seeds < 10 or settings.trained_seeds < 3:
        seeds = f"{settings.seeds} for landing, {settings.trained_seeds} for training"
        said.append(f"it cannot show what differs by chance: too few seeds ({seeds})")
    gates_s, random_s = (np.mean([one.search_s for one in results.contenders[k]]) for k in (FOUND, RANDOM_SEARCH))
    if random_s > MOST_UNEQUAL * gates_s:
        said.append(
            f"its random search had {random_s / gates_s:.1f} times the time of the gates, since fewer than three "
            "candidates are no search: the two are not compared at equal time"
        )
    epochs = [one.epochs for one in results.contenders[FOUND]]
    pictures = max(epochs) * (settings.samples_per_epoch or 0)
    if settings.side_px < 256 or 0 < pictures < 20_000:
        said.append(
            f"it cannot show which net is better when trained to its end: {pictures:,} samples of {settings.side_px} "
            "px are a fraction of what training takes"
        )
    return said


def scores(runs: Sequence[Contender]) -> list[float]:
    """AP50 of each run on validation, in percent."""
    return [100 * one.outcome.last("ap50") for one in runs]


def _training_s(one: Contender, results: Results) -> float:
    return one.outcome.cpu_seconds if results.settings.clock == "cpu" else one.outcome.seconds


def _by_table(runs: Sequence[Contender], results: Results) -> str:
    if runs[0].architecture is None:
        return "-"
    space = results.costs.space
    return _mean([results.table.latency_ms(space.architecture(one.model)) for one in runs])


def _source(table: LatencyTable) -> str:
    return ESTIMATED if table.device.processor == ESTIMATED else f"measured on {table.device.processor}"


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3g}"


def _percents(values: Sequence[float]) -> str:
    mean = f"{100 * np.mean(values):+.1f} %"
    return mean if len(values) == 1 else f"{mean} ({100 * min(values):+.1f} to {100 * max(values):+.1f})"


def _interval(found: Spread) -> str:
    return f"{found.mean:.2f}" if math.isnan(found.half) else f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"
