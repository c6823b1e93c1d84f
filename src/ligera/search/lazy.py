"""Rows that a search on the very device turns out to need, measured then. Needs torch (paper C, 3.6.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from ligera import __version__
from ligera.errors import MissingExtra, UsageError
from ligera.search.entry import Entry
from ligera.search.merging import unframed
from ligera.search.profiling import Bench
from ligera.search.space import Space
from ligera.search.table import LatencyTable, Settings, settings_for
from ligera.search.timing import TooSlow

__all__ = ["with_rows"]


def with_rows(
    table: LatencyTable | None,
    space: Space,
    entries: Sequence[Entry],
    *,
    settings: Settings | None = None,
    threads: int | None = None,
    runtime: str = "onnxruntime",
    output: Path | None = None,
) -> LatencyTable:
    """``table`` (none to begin with) and a row for each of ``entries`` that it lacks, measured now on this machine.

    Each gets its turns on end; nothing is measured twice. A table given brings its own settings, threads and
    runtime along. The result is written to ``output`` where that is given. Raises ``UsageError`` for a table of another
    space or machine, ``MissingExtra`` without torch.
    """
    known = {**table.rows, **table.skipped} if table else {}
    missing = [entry for entry in dict.fromkeys(entries) if entry.key not in known]
    if table is not None and table.space.digest != space.digest:
        raise UsageError(f"the latency table is of space {table.space.name}, of another content than {space.name} here")
    if table is not None and not missing:
        return table
    if table is not None:
        settings, threads, runtime = table.settings, table.device.threads, table.device.runtime
    bench = Bench(settings or settings_for(runtime, threads), threads=threads, runtime=runtime)
    try:
        measured = _measured(bench, space, missing, table)
    finally:
        bench.close()
    if output is not None:
        measured.write(output)
    return measured


def _measured(bench: Bench, space: Space, missing: Sequence[Entry], table: LatencyTable | None) -> LatencyTable:
    try:
        from ligera.search import pieces
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "train", "measuring blocks during a search") from None
    precision = table.device.precision if table else "fp32"
    device = bench.device(pieces.frame_graph(space.frames()[0])).model_copy(update={"precision": precision})
    if table is not None and device.processor != table.device.processor:
        raise UsageError(f"the latency table is of {table.device.processor}, this is {device.processor}; profile here")
    rows = dict(table.rows) if table else {}
    skipped = dict(table.skipped) if table else dict(space.left_out())
    frames = dict(table.frames) if table else {}
    for entry in missing:
        frame, around = entry.frame(space), []
        if frame is not None:
            around = bench.turns(pieces.frame_graph(frame, precision), frame.input_shape)
        turns = bench.turns(pieces.entry_graph(space, entry, precision), entry.input_shape)
        slow = next((outcome for outcome in (turns, around) if isinstance(outcome, TooSlow)), None)
        if slow is not None:
            skipped[entry.key] = slow.reason
            continue
        cost = asdict(pieces.cost_of(space, entry))
        rows[entry.key] = unframed(turns, around, cost, bench.settings)
        if frame is not None:
            frames[frame.key] = rows[entry.key].frame_ms
    return LatencyTable(
        made_at=datetime.now(UTC).replace(microsecond=0),
        ligera_version=__version__,
        space=space,
        device=device,
        settings=bench.settings,
        rows=rows,
        skipped=skipped,
        constants=table.constants if table else {},
        frames=frames,
        noise=table.noise if table else (),
    )
