"""The latency table of a space on this machine: every entry timed in turns, noisy ones again. No torch here.

In: the graphs of a space's entries (an archive, see ``archive``) and settings. Out: a ``LatencyTable``, and while it
lasts a progress file beside the output from which a killed profile goes on. Each round takes the graphs in another
order, so that what drifts meets all alike; between two graphs the machine rests. Source: paper C, 3.6.
"""

from __future__ import annotations

import fnmatch
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ligera import __version__
from ligera.deploy.runtimes import open_runtime
from ligera.deploy.timing.noise import NoiseMeter
from ligera.errors import DataError, UsageError
from ligera.meter.sources import Sources, find_sources
from ligera.search.device_state import device_of, temperature_c
from ligera.search.entry import Entry, Frame
from ligera.search.merging import merged, unframed, unsteady
from ligera.search.progress_file import ProgressFile
from ligera.search.space import Space
from ligera.search.table import Device, LatencyTable, Settings, read_table
from ligera.search.timing import Calibration, TooSlow, Turn, clock_of, take_turn

__all__ = ["Bench", "Blocks", "Track", "doubts", "measure_rounds", "profile", "untracked"]

# Of the times measured.
MOST_DOUBTFUL = 0.1
Track = Callable[[Sequence[Any], str], Iterable[Any]]
Log = Callable[[str], None]


class Blocks(Protocol):
    """Where the graphs of a space come from: an archive, or ``exporting.BuiltBlocks`` where torch is."""

    @property
    def space(self) -> Space: ...

    @property
    def precision(self) -> str: ...

    def entry(self, entry: Entry) -> bytes: ...

    def frame(self, frame: Frame) -> bytes: ...

    def cost(self, entry: Entry) -> Mapping[str, int]: ...


def untracked(work: Sequence[Any], what: str) -> Iterable[Any]:
    """Progress for nobody."""
    return work


def silent(line: str) -> None:
    """A log for nobody."""


class Bench:
    """Takes turns on this machine: opens each graph, times it, closes it, rests. ``device`` names where."""

    def __init__(self, settings: Settings, *, threads: int | None, runtime: str) -> None:
        if settings.clock == "cpu" and (threads != 1 or runtime != "onnxruntime"):
            # other runtimes compute in threads of their own even where there is one
            raise UsageError("clock: the cpu clock is for one thread of onnxruntime; add --threads 1, or use wall")
        self.settings, self.threads, self.runtime = settings, threads, runtime
        self.calibration = Calibration(clock_of(settings))
        self.sources: Sources = find_sources(())
        self._random = np.random.default_rng(0)
        self._inputs: dict[tuple[int, ...], np.ndarray] = {}

    def turn(self, graph: bytes, shape: tuple[int, ...]) -> Turn | TooSlow:
        """One turn of ``graph`` on a batch of ``shape``; rests afterwards."""
        if shape not in self._inputs:
            self._inputs[shape] = self._random.standard_normal(shape, np.float32)
        with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
            loaded = self._open(graph, Path(folder))
            try:
                outcome = take_turn(loaded, self._inputs[shape], self.settings, self.calibration, self.sources)
            finally:
                loaded.close()
        time.sleep(self.settings.rest_ms / 1e3)
        return outcome

    def turns(self, graph: bytes, shape: tuple[int, ...]) -> list[Turn] | TooSlow:
        """As many turns on end as the settings ask for, and further ones until they are steady."""
        turns: list[Turn] = []
        for number in range(self.settings.rounds + self.settings.most_repeats):
            if number >= self.settings.rounds and not unsteady(turns, self.settings):
                break
            outcome = self.turn(graph, shape)
            if isinstance(outcome, TooSlow):
                return outcome
            turns.append(outcome)
        return turns

    def device(self, graph: bytes) -> Device:
        """This machine, as the runtime that loads ``graph`` uses it."""
        with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
            loaded = self._open(graph, Path(folder))
            try:
                return device_of(loaded, self.runtime)
            finally:
                loaded.close()

    def _open(self, graph: bytes, folder: Path) -> Any:
        path = folder / "graph.onnx"
        path.write_bytes(graph)
        return open_runtime(path, runtime=self.runtime, threads=self.threads)

    def close(self) -> None:
        self.sources.close()


def profile(
    blocks: Blocks,
    output: Path,
    *,
    settings: Settings,
    threads: int | None = None,
    runtime: str = "onnxruntime",
    resume: bool = False,
    only: str = "*",
    track: Track = untracked,
    log: Log = silent,
) -> LatencyTable:
    """Measure every entry of ``blocks`` and write the table to ``output``; ``log`` hears what is skipped and why.

    ``only`` is a pattern of keys (``*KKConv*``) outside of which nothing is measured; such a table is not complete.

    With ``resume`` turns of a killed profile count, and a finished table of the same is returned as it stands. Raises
    ``UsageError`` for a resume with other options, ``DataError`` for a damaged archive or progress file.
    """
    space = blocks.space
    bench = Bench(settings, threads=threads, runtime=runtime)
    try:
        entries = _chosen(space, only)
        device = bench.device(blocks.frame(space.frames()[0])).model_copy(update={"precision": blocks.precision})
        identity = _identity(space, settings, device) | {"only": only}
        if resume and (finished := _finished(output, space, settings, device)):
            return finished
        progress = ProgressFile(output, identity, resume=resume)
        done = False
        try:
            for key, reason in space.left_out().items():
                log(f"skipped: {key}: {reason}")
            graphs = _graphs(blocks, entries)
            noise, before_c = NoiseMeter(threads=device.threads), temperature_c()
            noise.start()
            measure_rounds(bench, graphs, progress, noise=noise, track=track, log=log)
            noise.stop()
            after_c = temperature_c()
            heat = None if before_c is None or after_c is None else (before_c, after_c)
            device = device.model_copy(update={"temperature_c": heat})
            table = _table(blocks, entries, progress, settings, device, noise.reasons())
            table.write(output)
            done = True
            return table
        finally:
            progress.close(done=done)
    finally:
        bench.close()


Work = Mapping[str, tuple[Callable[[], bytes], tuple[int, ...]]]


def measure_rounds(
    bench: Bench,
    graphs: Work,
    progress: ProgressFile,
    *,
    noise: NoiseMeter,
    track: Track = untracked,
    log: Log = silent,
) -> None:
    """All rounds of ``graphs`` (how to load each, and the shape of its input), then further turns of unsteady ones."""
    settings = bench.settings
    for number in range(settings.rounds + settings.most_repeats):
        repeating = number >= settings.rounds
        waiting = [key for key in graphs if key not in progress.skipped and _waits(progress, key, number, settings)]
        if not waiting:
            continue
        order = np.random.default_rng(number).permutation(len(waiting))
        what = f"again {number - settings.rounds + 1}" if repeating else f"round {number + 1} of {settings.rounds}"
        for place in track(list(order), what):
            key = waiting[place]
            load, shape = graphs[key]
            outcome = bench.turn(load(), shape)
            noise.calibrate()
            progress.add(key, outcome)
            if isinstance(outcome, TooSlow):
                log(f"skipped: {key}: {outcome.reason}")


def _waits(progress: ProgressFile, key: str, number: int, settings: Settings) -> bool:
    turns = progress.turns.get(key, [])
    if len(turns) > number:
        return False
    return number < settings.rounds or unsteady(turns, settings)


def _chosen(space: Space, only: str) -> tuple[Entry, ...]:
    entries = tuple(entry for entry in space.entries() if fnmatch.fnmatchcase(entry.key, only))
    if not entries:
        example = space.entries()[1].key
        raise UsageError(f"--only {only!r}: no entry of space {space.name} has such a key; one is {example}")
    return entries


def _graphs(blocks: Blocks, entries: Sequence[Entry]) -> Work:
    work: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {}
    for entry in entries:
        frame = entry.frame(blocks.space)
        if frame is not None:
            work[frame.key] = (partial(blocks.frame, frame), frame.input_shape)
        work[entry.key] = (partial(blocks.entry, entry), entry.input_shape)
    return work


def _identity(space: Space, settings: Settings, device: Device) -> dict[str, Any]:
    return {
        "space": space.digest,
        "settings": settings.model_dump(mode="json"),
        "processor": device.processor,
        "threads": device.threads,
        "runtime": f"{device.runtime} {device.runtime_version}",
        "precision": device.precision,
    }


def _finished(output: Path, space: Space, settings: Settings, device: Device) -> LatencyTable | None:
    """The table at ``output`` where it is already what was asked for."""
    if not output.exists():
        return None
    table = read_table(output)
    if _identity(table.space, table.settings, table.device) != _identity(space, settings, device):
        raise UsageError(f"{output}: stands already and was measured otherwise; give another name with -o")
    return table


def doubts(settings: Settings, noise: tuple[str, ...], doubtful: int, measured: int, what: str) -> tuple[str, ...]:
    """Why times must not be quoted: too many that stayed noisy, and with means whatever ``noise`` was about."""
    reasons = noise if settings.statistic == "trimmed" else ()
    if doubtful > MOST_DOUBTFUL * measured:
        reasons = (*reasons, f"the times of {doubtful} of {measured} {what} stayed noisy however often repeated")
    return reasons


def _table(
    blocks: Blocks,
    entries: Sequence[Entry],
    progress: ProgressFile,
    settings: Settings,
    device: Device,
    noise: tuple[str, ...],
) -> LatencyTable:
    space = blocks.space
    rows, skipped = {}, dict(space.left_out())
    for entry in entries:
        frame = entry.frame(space)
        needed = [entry.key, *([frame.key] if frame else [])]
        slow = next((key for key in needed if key in progress.skipped), None)
        if slow is not None:
            about = "" if slow == entry.key else f"its frame {slow}: "
            skipped[entry.key] = about + progress.skipped[slow]
        else:
            around = progress.turns[frame.key] if frame else ()
            rows[entry.key] = unframed(progress.turns[entry.key], around, blocks.cost(entry), settings)
    if not rows:
        raise DataError(f"space {space.name}: every entry was skipped; raise --threshold-ms")
    doubtful = sum(row.noisy for row in rows.values())
    return LatencyTable(
        made_at=datetime.now(UTC).replace(microsecond=0),
        ligera_version=__version__,
        space=space,
        device=device,
        settings=settings,
        rows=rows,
        skipped=skipped,
        frames={
            key: merged(turns, settings).latency_ms for key, turns in progress.turns.items() if key.startswith("frame_")
        },
        noise=doubts(settings, noise, doubtful, len(rows), "entries"),
    )
