"""One turn of timing: warm-up runs, then samples, one figure made of them, with its interval and signs of noise.

In: a loaded network, its input and the settings. Out: a ``Turn`` in ms, or the reason why the network is not worth one.
The figure is the quickest sample, as others' work on a shared processor only ever adds, or the mean of the samples with
10 % cut off at each end. Source: paper C, 3.6.3 and table 19 (the latter; 20 runs and 50 samples on processors, 40 and
200 on graphics cards).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ligera.deploy.runtimes import Runtime
from ligera.deploy.timing.energy import Turns, energy_figure, look
from ligera.deploy.timing.noise import MAX_VARIATION
from ligera.deploy.timing.yardstick import Yardstick
from ligera.meter.figure import Provenance
from ligera.meter.sources import Sources
from ligera.search.table import Settings

__all__ = ["Calibration", "TooSlow", "Turn", "clock_of", "interval", "summary", "take_turn"]

FIRST_SAMPLES = 5
BLOCKS = 10
RESAMPLES = 200
# A turn during which this share of its time went to others says little about the network.
MOST_AWAY = 0.05


@dataclass(frozen=True, slots=True)
class Turn:
    """``latency_ms`` is what ``n`` samples come to, ``low_ms`` to ``high_ms`` its 90 % interval.

    ``busy`` is set where the processor was slower than at its best or had other work meanwhile. ``energy_mj`` is of one
    run.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    n: int
    busy: bool
    energy_mj: float | None = None
    energy_source: Provenance = "unknown"


@dataclass(frozen=True, slots=True)
class TooSlow:
    """Why a network was not measured."""

    reason: str


class Calibration:
    """A fixed piece of arithmetic timed around every turn: longer than at its best means that the processor was slower.

    ``times_ms`` are all of them.
    """

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.times_ms: list[float] = []
        self._yardstick = Yardstick(clock)

    def measure(self) -> float:
        """The quickest of three, so that a single interruption is not taken for a slow processor."""
        self.times_ms.append(min(self._yardstick.measure_ms() for _ in range(3)))
        return self.times_ms[-1]

    def slow(self, milliseconds: float) -> bool:
        """Whether ``milliseconds`` are too many beside the best seen."""
        return milliseconds > (1 + 2 * MAX_VARIATION) * min(self.times_ms)


def summary(samples: np.ndarray, settings: Settings) -> float:
    """What ``samples`` come to by the settings' statistic."""
    return float(_summaries(samples[None], settings)[0])


def interval(samples: np.ndarray, settings: Settings) -> tuple[float, float]:
    """The 90 % interval of ``summary``, by a bootstrap over stretches of time: neighbours are not independent."""
    parts = np.array_split(samples, min(BLOCKS, len(samples)))
    shortest = min(map(len, parts))
    blocks = np.stack([part[:shortest] for part in parts])
    chosen = np.random.default_rng(0).integers(0, len(blocks), (RESAMPLES, len(blocks)))
    low, high = np.quantile(_summaries(blocks[chosen].reshape(RESAMPLES, -1), settings), (0.05, 0.95))
    return float(low), float(high)


def _summaries(rows: np.ndarray, settings: Settings) -> np.ndarray:
    if settings.statistic == "fastest":
        return rows.min(axis=1)
    cut = int(rows.shape[1] * settings.trim)
    return np.sort(rows, axis=1)[:, cut : rows.shape[1] - cut].mean(axis=1)


def take_turn(
    runtime: Runtime, batch: np.ndarray, settings: Settings, calibration: Calibration, sources: Sources
) -> Turn | TooSlow:
    """Time ``runtime`` on ``batch``; ``TooSlow`` where the first samples are beyond the settings' threshold.

    A first run that is five times beyond it ends the turn at once: twenty such runs of warm-up would take minutes.
    """
    clock = clock_of(settings)
    first_ms = _samples(runtime, batch, 1, clock)[0]
    if first_ms > FIRST_SAMPLES * settings.threshold_ms:
        return TooSlow(f"its very first run took {first_ms:.0f} ms (threshold {settings.threshold_ms:g} ms)")
    _samples(runtime, batch, max(0, settings.warm_up_runs - 1), clock)
    before_ms, before = calibration.measure(), look(sources)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    samples = _samples(runtime, batch, FIRST_SAMPLES, clock)
    mean_ms = float(samples.mean())
    if mean_ms > settings.threshold_ms:
        return TooSlow(f"its first samples took {mean_ms:.1f} ms on average (threshold {settings.threshold_ms:g} ms)")
    samples = np.concatenate([samples, _samples(runtime, batch, settings.samples - FIRST_SAMPLES, clock)])
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    after, after_ms = look(sources), calibration.measure()
    turns = Turns(on_card=_on_card(runtime))
    turns.add(sources, before, after, cpu_s=cpu_s, detections=len(samples))
    energy = energy_figure(sources, turns, device=runtime.device, threads=runtime.threads)
    # work of other programs shows as time in which this one, that never sleeps, did not run
    away = settings.clock == "wall" and not _on_card(runtime) and cpu_s < (1 - MOST_AWAY) * wall_s
    busy = away or calibration.slow(before_ms) or calibration.slow(after_ms)
    low, high = interval(samples, settings)
    return Turn(summary(samples, settings), low, high, len(samples), busy, energy.value, energy.source)


def clock_of(settings: Settings) -> Callable[[], int]:
    """Nanoseconds of the wall, or of the calling thread alone."""
    return time.perf_counter_ns if settings.clock == "wall" else time.thread_time_ns


def _samples(runtime: Runtime, batch: np.ndarray, count: int, clock: Callable[[], int]) -> np.ndarray:
    """Milliseconds of ``count`` runs, one after another, without the collector of garbage."""
    taken = np.empty(count)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for i in range(count):
            started = clock()
            runtime.run(batch)
            taken[i] = (clock() - started) / 1e6
    finally:
        if collecting:
            gc.enable()
    return taken


def _on_card(runtime: Runtime) -> bool:
    return not runtime.device.lower().startswith("cpu")
