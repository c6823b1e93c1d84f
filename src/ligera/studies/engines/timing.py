"""50 warm-ups and 1,000 batches of a contender, by stage, with the energy they took, kept as they are done.

In: a :class:`Contender`. Out: a :class:`Run`, read back from its file where it stands there. One taken while the
machine was not quiet says why and is taken again when the study is started again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.timing.energy import Turns, energy_figure, look
from ligera.deploy.timing.noise import NoiseMeter
from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.meter.figure import Figure
from ligera.meter.sources import find_sources
from ligera.studies.engines.contenders import Contender
from ligera.studies.engines.process import Process

__all__ = ["BLOCK", "Run", "read_run", "time_contender"]

BLOCK = 50
RESAMPLES = 500


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """``times_ms`` ``(blocks, BLOCK, 3)``: batch in, network, outputs back. ``reasons`` say why not to quote it."""

    key: str
    device: str
    threads: int
    batch: int
    times_ms: np.ndarray
    energy: Figure
    reasons: tuple[str, ...]

    @property
    def totals_ms(self) -> np.ndarray:
        """``(blocks, BLOCK)``, all three stages together, as the paper counts latency."""
        return self.times_ms.sum(2)

    @property
    def latency_ms(self) -> float:
        return float(np.median(self.totals_ms))

    @property
    def stages_ms(self) -> tuple[float, float, float]:
        """The median of each stage."""
        put, execute, take = np.median(self.times_ms.reshape(-1, 3), axis=0)
        return float(put), float(execute), float(take)

    @property
    def p95_ms(self) -> float:
        return float(np.quantile(self.totals_ms, 0.95))

    @property
    def throughput(self) -> float:
        """Pictures a second: batches times their size over the time of all."""
        return 1e3 * self.totals_ms.size * self.batch / float(self.totals_ms.sum())

    def faster_than(self, other: Run) -> tuple[float, float, float]:
        """How many times as fast as ``other`` by medians, and the 90 % interval of a bootstrap over blocks."""
        generator = np.random.default_rng(0)
        ratios = []
        for _ in range(RESAMPLES):
            own, others = (
                np.median(totals[generator.integers(0, len(totals), len(totals))])
                for totals in (self.totals_ms, other.totals_ms)
            )
            ratios.append(others / own)
        low, high = np.quantile(ratios, (0.05, 0.95))
        return other.latency_ms / self.latency_ms, float(low), float(high)


def time_contender(contender: Contender, blocks: int, warm_up: int, folder: Path) -> Run:
    """Measure, or read what was measured before on a quiet machine; the result stands in ``folder``."""
    path = folder / f"{contender.key}.json"
    if path.is_file():
        run = read_run(path)
        if not run.reasons and run.times_ms.shape[:2] == (blocks, BLOCK):
            return run
    sources = find_sources(())
    noise = NoiseMeter(threads=contender.threads)
    turns = Turns(on_card=False)
    rows = []
    try:
        with Process(contender) as process:
            process.ask(str(warm_up))
            noise.start()
            for _ in range(blocks):
                noise.calibrate()
                before = look(sources)
                answer = process.ask(str(BLOCK))
                turns.add(sources, before, look(sources), cpu_s=answer["cpu_s"], detections=BLOCK * contender.batch)
                noise.add_own(answer["cpu_s"])
                rows.append(np.array([answer["put"], answer["execute"], answer["take"]]).T)
            noise.stop()
            ready = process.ready
        energy = energy_figure(sources, turns, device=ready["device"], threads=ready["threads"])
    finally:
        sources.close()
    times = np.stack(rows)
    run = Run(contender.key, ready["device"], ready["threads"], contender.batch, times, energy, noise.reasons())
    write_bytes(path, _to_json(run))
    return run


def _to_json(run: Run) -> bytes:
    row: dict[str, Any] = {name: getattr(run, name) for name in ("key", "device", "threads", "batch", "reasons")}
    row |= {"energy": run.energy.as_dict(), "times_ms": run.times_ms.tolist()}
    return (json.dumps(row) + "\n").encode()


def read_run(path: Path) -> Run:
    """What ``time_contender`` wrote; ``DataError`` for a damaged file."""
    try:
        row = json.loads(path.read_text())
        spread = row["energy"].pop("spread")
        energy = Figure(**row["energy"], spread=None if spread is None else tuple(spread))
        times = np.array(row["times_ms"], float)
        if times.ndim != 3 or times.shape[2] != 3 or not np.isfinite(times).all():
            raise ValueError("times of another shape")
        reasons = tuple(row["reasons"])
        return Run(row["key"], row["device"], row["threads"], row["batch"], times, energy, reasons)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged ({error}); remove it, it is measured again") from None
