"""What tells best that this machine is not quiet: which fixed piece of work varies as networks do?

Built-in networks, one thread each, take turns with pieces of work that could serve as a sign of noise: the yardstick
that ``bench`` and ``profile`` use, a loop in Python, a hash. The table gives for each the robust variation of its
windows' medians (a window is eight runs in a row), and how it goes along with the networks: the rank correlation with
their mean, each network over its own median. A sign that varies far more than all networks cries wolf; one that
hardly varies sees nothing. Run it twice: on a quiet machine, and beside other work.

Run: python benchmarks/yardstick.py [--seconds 60] [--width 320 --height 256]
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from ligera.deploy.builtin import builtin_path
from ligera.deploy.runtimes import open_runtime
from ligera.deploy.timing.noise import robust_variation
from ligera.deploy.timing.yardstick import Yardstick

RUNS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=256)
    options = parser.parse_args()
    networks = {name: network(name, options.height, options.width) for name in ("face", "face-small")}
    signs = {"yardstick": Yardstick().measure_ms, "loop in Python": loop, "hash": hash_of(np.random.bytes(1 << 18))}
    pieces = networks | signs
    rows, end = [], time.perf_counter() + options.seconds
    while time.perf_counter() < end:
        rows.append([window(piece) for piece in pieces.values()])
    report(tuple(pieces), np.array(rows), len(networks))


def network(name: str, height: int, width: int) -> Callable[[], object]:
    runtime = open_runtime(builtin_path(name), threads=1)
    batch = np.random.default_rng(0).integers(0, 256, (1, 3, height, width)).astype(np.float32)
    return lambda: runtime.run(batch)


def loop() -> None:
    total = 0
    for i in range(5_000):
        total += i * i & 7


def hash_of(content: bytes) -> Callable[[], object]:
    return lambda: hashlib.sha256(content).digest()


def window(piece: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        piece()
        times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times))


def report(names: tuple[str, ...], times_ms: np.ndarray, networks: int) -> None:
    together = (times_ms[:, :networks] / np.median(times_ms[:, :networks], axis=0)).mean(axis=1)
    print(f"{len(times_ms)} windows\n\n| piece | median ms | varies by | goes along with the networks |")
    print("|---|--:|--:|--:|")
    for place, name in enumerate(names):
        own = times_ms[:, place]
        with_them = "" if place < networks else f"{spearmanr(own, together).statistic:.2f}"
        print(f"| {name} | {np.median(own):.3f} | {robust_variation(own):.1%} | {with_them} |")


if __name__ == "__main__":
    main()
