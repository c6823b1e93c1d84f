"""Does a latency table tell the truth? Random whole nets, exported as they ship, against sums of entries.

In: a table, nets and their graphs, measured where the table was. Out: a ``CheckReport``: how well bare sums agree over
all nets, and how well sums do with a constant for each block of a stage and one for each net, fitted on every other net
and judged on the rest. Entries of the table are timed again among the nets, so that a machine that became faster or
slower meanwhile is told from a wrong table.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ligera.deploy.timing.noise import NoiseMeter
from ligera.errors import DataError, UsageError
from ligera.files import write_bytes
from ligera.search.agreement import Agreement, agreement, fit_constants
from ligera.search.architecture import Architecture
from ligera.search.device_state import runtime_version
from ligera.search.drift import drift, references
from ligera.search.merging import merged, unsteady
from ligera.search.profiling import Bench, Blocks, Log, Track, doubts, measure_rounds, silent, untracked
from ligera.search.progress_file import ProgressFile
from ligera.search.table import LatencyTable, Settings

__all__ = ["CheckReport", "NetTime", "check_table", "write_report"]

FEWEST_NETS = 20


@dataclass(frozen=True, slots=True)
class NetTime:
    """One net: what the table's rows add up to, what it took, and whether that time is in doubt."""

    name: str
    predicted_ms: float
    measured_ms: float
    low_ms: float
    high_ms: float
    noisy: bool
    fitted_on: bool


@dataclass(frozen=True, slots=True)
class CheckReport:
    """``bare`` is the agreement of plain sums over all nets, ``judged_bare`` and ``judged_fitted`` without and with
    ``constants`` (ms) over the half on which they were not fitted.

    ``drift`` is the median of what entries of the table take now over what they took then (1: the machine is as it
    was), ``None`` without their graphs; ``undrifted`` is the agreement of plain sums times ``drift``: what is left of
    the error when the machine's change is taken out. ``reasons`` is empty exactly where the figures may be quoted.
    """

    nets: tuple[NetTime, ...]
    bare: Agreement
    judged_bare: Agreement
    judged_fitted: Agreement
    constants: dict[str, float]
    drift: float | None
    undrifted: Agreement | None
    reasons: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"reaches_bare": self.bare.reaches(), "reaches_fitted": self.judged_fitted.reaches()}


def check_table(
    table: LatencyTable,
    nets: Sequence[Architecture],
    graph: Callable[[Architecture], bytes],
    output: Path,
    *,
    blocks: Blocks | None = None,
    rounds: int | None = None,
    resume: bool = False,
    track: Track = untracked,
    log: Log = silent,
) -> CheckReport:
    """Time ``nets`` with the table's own settings, threads and runtime; the progress file stands beside ``output``.

    Raises ``UsageError`` for fewer than 20 nets or another version of the runtime, ``DataError`` where the table lacks
    a row.
    """
    if len(nets) < FEWEST_NETS:
        raise UsageError(f"--nets {len(nets)}: expected {FEWEST_NETS} or more that the table has rows for")
    device, settings = table.device, _settings(table, rounds)
    version = runtime_version(device.runtime)
    if version != device.runtime_version:
        raise UsageError(f"the table is of {device.runtime} {device.runtime_version}, here is {version}; profile anew")
    plain = table.model_copy(update={"constants": {}})
    predicted = {net.name: plain.latency_ms(net) for net in nets}
    shape = (table.space.batch, 3, table.space.side(), table.space.side())
    graphs = {net.name: (partial(graph, net), shape) for net in nets}
    bench = Bench(settings, threads=device.threads, runtime=device.runtime)
    identity = {"table": table.made_at.isoformat(), "nets": sorted(predicted), "settings": settings.model_dump()}
    try:
        progress = ProgressFile(output, identity, resume=resume)
        done = False
        try:
            noise = NoiseMeter(threads=device.threads)
            noise.start()
            measure_rounds(bench, graphs | _references(plain, blocks), progress, noise=noise, track=track, log=log)
            noise.stop()
            report = _report(plain, nets, predicted, progress, settings, noise.reasons())
            done = True
            return report
        finally:
            progress.close(done=done)
    finally:
        bench.close()


def write_report(report: CheckReport, path: Path) -> Path:
    """The report as JSON at ``path``, whole or not at all."""
    write_bytes(path, (json.dumps(report.as_dict(), indent=1) + "\n").encode())
    return path


def _settings(table: LatencyTable, rounds: int | None) -> Settings:
    """Those of the table; no net is skipped for being slow, as its entries were not."""
    slowest = sum(row.latency_ms + row.frame_ms for row in table.rows.values())
    return table.settings.model_copy(
        update={"threshold_ms": 10 * slowest + 1e4, "rounds": rounds or table.settings.rounds}
    )


def _references(table: LatencyTable, blocks: Blocks | None) -> dict[str, Any]:
    """Some of the table's entries, to be timed again."""
    if blocks is None:
        return {}
    return {entry.key: (partial(blocks.entry, entry), entry.input_shape) for entry in references(table)}


def _report(
    table: LatencyTable,
    nets: Sequence[Architecture],
    predicted: Mapping[str, float],
    progress: ProgressFile,
    settings: Settings,
    reasons: tuple[str, ...],
) -> CheckReport:
    times = []
    for place, net in enumerate(nets):
        turns = progress.turns.get(net.name)
        if turns is None:
            raise DataError(f"{net.name}: was not measured: {progress.skipped.get(net.name, 'unknown')}")
        one, noisy = merged(turns, settings), unsteady(turns, settings)
        times.append(
            NetTime(net.name, predicted[net.name], one.latency_ms, one.low_ms, one.high_ms, noisy, place % 2 == 0)
        )
    counts = [Counter(entry.group for entry in net.entries() if entry.part == "block") | {"net": 1} for net in nets]
    fitting = [i for i, time in enumerate(times) if time.fitted_on]
    judging = [i for i, time in enumerate(times) if not time.fitted_on]
    sums, took = [time.predicted_ms for time in times], [time.measured_ms for time in times]
    constants = fit_constants(*([values[i] for i in fitting] for values in (counts, sums, took)))
    better = [ms + sum(constants.get(k, 0) * n for k, n in row.items()) for ms, row in zip(sums, counts, strict=True)]
    judged = [[values[i] for i in judging] for values in (sums, better, took)]
    reasons = doubts(settings, reasons, sum(time.noisy for time in times), len(times), "nets")
    drifted = drift(table, progress.turns)
    undrifted = agreement([drifted * ms for ms in sums], took) if drifted else None
    return CheckReport(
        tuple(times),
        agreement(sums, took),
        agreement(judged[0], judged[2]),
        agreement(judged[1], judged[2]),
        constants,
        drifted,
        undrifted,
        reasons,
    )
