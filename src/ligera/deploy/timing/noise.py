"""Was this machine quiet enough for a timing to be quoted? A criterion that is stated, not a feeling.

Two signs, either of which is enough to refuse:
- a fixed piece of arithmetic, timed between the runs, varied by more than 15 % (robust coefficient of variation);
- other programs, or other guests of the same host (steal), kept more cores busy than a tenth of all, or than half of
  those that the measured threads leave free, whichever is more. Linux only; elsewhere the first sign stands alone.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ligera.deploy.timing.yardstick import Yardstick

__all__ = ["MAX_VARIATION", "NoiseMeter", "robust_variation"]

MAX_VARIATION = 0.15
FEWEST_CALIBRATIONS = 5


def robust_variation(values: np.ndarray) -> float:
    """Coefficient of variation by quantiles: half the distance from the 16th to the 84th over the median.

    Equals standard deviation over mean for a normal sample, and a few stray values cannot move it.
    """
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
    return float((high - low) / 2 / middle) if middle > 0 else float("inf")


@dataclass(slots=True)
class NoiseMeter:
    """Between ``start`` and ``stop``, call ``calibrate`` between runs and ``add_own`` with their seconds of CPU."""

    threads: int
    calibrations_ms: list[float] = field(default_factory=list)
    _yardstick: Yardstick = field(default_factory=Yardstick, repr=False)
    _own_s: float = 0.0
    _busy_before_s: float | None = None
    _wall_before_s: float = 0.0
    _self_before_s: float = 0.0
    _other_cores: float | None = None

    def start(self) -> None:
        self._busy_before_s, self._wall_before_s = _busy_s(), time.perf_counter()
        self._self_before_s = time.process_time()

    def calibrate(self) -> None:
        """See how fast a core is just now, in about half a millisecond."""
        self.calibrations_ms.append(self._yardstick.measure_ms())

    def add_own(self, cpu_s: float) -> None:
        self._own_s += cpu_s

    def stop(self) -> None:
        """End of the time that counts."""
        busy_s = _busy_s()
        if busy_s is None or self._busy_before_s is None:
            return
        wall_s = time.perf_counter() - self._wall_before_s
        own_s = self._own_s + time.process_time() - self._self_before_s
        self._other_cores = max(0.0, busy_s - self._busy_before_s - own_s) / max(wall_s, 1e-9)

    def reasons(self) -> tuple[str, ...]:
        """Why timings taken between ``start`` and ``stop`` must not be quoted; empty where they may be."""
        found = []
        if len(self.calibrations_ms) < FEWEST_CALIBRATIONS:
            found.append(f"too few rounds to tell noise ({len(self.calibrations_ms)}, at least {FEWEST_CALIBRATIONS})")
        else:
            variation = robust_variation(np.array(self.calibrations_ms))
            if variation > MAX_VARIATION:
                found.append(f"a fixed calibration loop varied by {variation:.0%} (at most {MAX_VARIATION:.0%})")
        others, cores = self._other_cores, os.cpu_count() or 1
        allowed = max(0.1 * cores, 0.5 * (cores - self.threads))
        if others is not None and others > allowed:
            found.append(f"other work kept {others:.1f} of {cores} cores busy (at most {allowed:.1f})")
        return tuple(found)


def _busy_s() -> float | None:
    """Seconds that all cores together have worked since boot, time stolen by other guests included."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
        user, nice, system, _idle, _wait, interrupts, soft, steal = (int(value) for value in first[1:9])
    except (OSError, ValueError, IndexError):
        return None
    return (user + nice + system + interrupts + soft + steal) / os.sysconf("SC_CLK_TCK")
