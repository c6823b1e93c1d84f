"""What metering costs: the same work with and without a meter around it, in pairs, and the meter's own CPU time.

Each pair runs a fixed loop of arithmetic twice, in an order that turns from pair to pair, beside ``--children`` idle
processes whose time the meter has to look up as well. It samples ``--interval`` s apart, twenty times as often as in a
run, so that its cost stands out from the machine's noise; what a run pays is that over the number of samples a second.
The cost is the CPU time that the process took more of (the sampling thread and what it makes the work wait and switch
included), over wall time: a share of one core. Run: python benchmarks/meter_overhead.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ligera.meter import Meter

WAIT = "import sys; sys.stdin.read()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.2, help="CPU time that each piece of work takes, about")
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--interval", type=float, default=0.05, help="seconds between samples")
    options = parser.parse_args()
    loops = calibrated(options.seconds)
    with ExitStack() as stack:
        for _ in range(options.children):
            command = [sys.executable, "-S", "-c", WAIT]
            child = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE))
            stack.callback(child.stdin.close)  # type: ignore[union-attr]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = [pair(folder / str(i), loops, options.interval, first=i % 2 == 0) for i in range(options.pairs)]
    print(f"{options.pairs} pairs of about {options.seconds:g} s of work, sampled each {options.interval:g} s")
    more = [(with_meter[0] - without[0]) / with_meter[1] for with_meter, without, _ in rows]
    for name, shares in (("more CPU time", more), ("the meter's own", [share for _, _, share in rows])):
        median, (low, high) = statistics.median(shares), interval(shares)
        print(f"{name:16} {median:.3%} of one core (90 % interval {low:.3%} to {high:.3%})")
        scale = options.interval
        print(f"{'':16} {median * scale:.4%} with a sample each second ({low * scale:.4%} to {high * scale:.4%})")


def pair(folder: Path, loops: int, interval_s: float, *, first: bool) -> tuple[tuple[float, float], ...]:
    """CPU and wall seconds with a meter and without, and the share of one core that the meter took."""
    without = work(loops) if not first else None
    # started and stopped outside of what is timed, as a run does it once
    with Meter(folder / "cost.json", interval_s=interval_s) as meter:
        before = meter.cost().figures
        with_meter = work(loops)
        meter.sample()
        after = meter.cost().figures
    spent_s, passed_s = (after[name].value - before[name].value for name in ("metering_cpu_s", "wall_s"))
    return with_meter, without or work(loops), spent_s / passed_s


def work(loops: int) -> tuple[float, float]:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    total = 0
    for i in range(loops):
        total += i * i & 7
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def calibrated(seconds: float) -> int:
    """How many loops take about so long."""
    loops = 2_000_000
    return max(1, round(loops * seconds / work(loops)[0]))


def interval(values: list[float]) -> tuple[float, float]:
    """90 % interval of the median, by bootstrap."""
    again = np.random.default_rng(0).choice(values, (1000, len(values)))
    low, high = np.quantile(np.median(again, axis=1), [0.05, 0.95])
    return float(low), float(high)


if __name__ == "__main__":
    main()
