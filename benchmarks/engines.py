"""Is ``auto`` within 10 % of the best engine, whatever the work? Engines side by side on six workloads.

    python benchmarks/engines.py FOLDER_OF_PICTURES [--workloads decode tiny] [--rounds 5] [--scale 1]

decode: pictures from the folder, decoded (OpenCV leaves Python's lock). inference: the built-in ``face`` on 320 x 240
px, one thread each, a network per worker; "network-bound" may mean that or waiting for one, so ``wire`` waits 5 ms for
each item as for an answer from another machine (sequential and processes, 32 and 16 times slower by construction on two
cores, are left out of it). disk: files read past the page cache. tiny: a microsecond of arithmetic.
python: arithmetic that holds Python's lock, the case for processes. Engines take turns in an order that rotates; the
table gives the median seconds of each, and of the paired rounds the median ratio of auto to the engine whose median is
best, with the range.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from ligera.data.engines import LOCAL_ENGINES, PerWorker, run
from ligera.data.pictures import find_pictures, read_picture

ENGINES = (*LOCAL_ENGINES, "auto")
FILE_BYTES = 2**18
WAIT_S = 0.005


@dataclass(frozen=True)
class Workload:
    work: Any
    items: Sequence[Any]
    left_out: tuple[str, ...] = ()


def decode(path: Path) -> str:
    return hashlib.md5(read_picture(path).pixels[::16, ::16].tobytes()).hexdigest()


def make_detector() -> Callable[[int], int]:
    from ligera.deploy.detector import Detector

    detector = Detector.load("face", threads=1)
    pixels = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    return lambda _: len(detector.detect(pixels))


def wait(number: int) -> int:
    time.sleep(WAIT_S)
    return number


def read_past_cache(path: Path) -> int:
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return len(file.read())


def tiny(number: int) -> int:
    return number * number & 255


def python_loop(count: int) -> int:
    total = 0
    for i in range(count):
        total += i * i & 7
    return total


def workloads(folder: Path, files: Path, scale: float) -> dict[str, Callable[[], Workload]]:
    def times(count: int) -> int:
        return max(8, round(count * scale))

    def pictures() -> Workload:
        return Workload(decode, list(islice(cycle(find_pictures(folder)), times(10_000))))

    def disk() -> Workload:
        paths = [files / f"{number}.bin" for number in range(times(1500))]
        for path in paths:
            path.write_bytes(os.urandom(FILE_BYTES))
            with path.open("rb") as file:
                os.fsync(file.fileno())
        return Workload(read_past_cache, paths)

    return {
        "decode": pictures,
        "inference": lambda: Workload(PerWorker(make_detector), range(times(300))),
        "wire": lambda: Workload(wait, range(times(3200)), ("sequential", "processes")),
        "disk": disk,
        "tiny": lambda: Workload(tiny, range(times(300_000))),
        "python": lambda: Workload(partial(python_loop), [30_000] * times(1000)),
    }


def seconds(engine: str, load: Workload) -> tuple[float, str, int]:
    """Seconds, the engine chosen, and a sum over all results, which must be the same."""
    started = time.perf_counter()
    outcomes = run(engine, load.work, load.items)
    total = sum(hash(outcome.unwrap()) for outcome in outcomes) if load.work is not decode else _count(outcomes)
    return time.perf_counter() - started, outcomes.engine, total


def _count(outcomes: Iterable[Any]) -> int:
    digest = hashlib.md5()
    for outcome in outcomes:
        digest.update(outcome.unwrap().encode())
    return int.from_bytes(digest.digest())


def measure(name: str, load: Workload, rounds: int) -> None:
    engines = [engine for engine in ENGINES if engine not in load.left_out]
    times: dict[str, list[float]] = {engine: [] for engine in engines}
    chosen, totals = [], set()
    for number in range(rounds):
        turn = number % len(engines)
        for engine in engines[turn:] + engines[:turn]:
            elapsed_s, by, total = seconds(engine, load)
            times[engine].append(elapsed_s)
            totals.add(total)
            if engine == "auto":
                chosen.append(by)
    assert len(totals) == 1, f"{name}: engines disagree"
    best = min((engine for engine in engines if engine != "auto"), key=lambda engine: median(times[engine]))
    ratios = [auto / other for auto, other in zip(times["auto"], times[best], strict=True)]
    cells = " | ".join(f"{median(times[engine]):.2f}" if engine in times else "" for engine in ENGINES)
    spread = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    print(f"| {name} | {cells} | {best} | {', '.join(sorted(set(chosen)))} | {spread} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workloads", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of items")
    arguments = parser.parse_args()
    # As workers have it, so that all do the same work.
    cv2.setNumThreads(1)
    print(f"| workload | {' | '.join(ENGINES)} | best | auto chose | auto / best |")
    print("|---|" + "--:|" * len(ENGINES) + "---|---|--:|")
    with tempfile.TemporaryDirectory(dir=".") as files:
        known = workloads(arguments.folder, Path(files), arguments.scale)
        for name in arguments.workloads or known:
            measure(name, known[name](), arguments.rounds)


if __name__ == "__main__":
    main()
