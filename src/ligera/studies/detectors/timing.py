"""How long each detector takes on the same pictures: processes side by side, one picture after the other.

Every picture goes through all detectors, plain and bounded, before the next one does, and their order rotates, so that
other load on the machine falls on all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ligera.deploy.noise import NoiseMeter
from ligera.errors import DataError
from ligera.studies.detectors.contenders import Contender
from ligera.studies.trials import Listener

__all__ = ["MODES", "Times", "measure_times"]

MODES = ("plain", "bounded")
PATIENCE_S = 30


@dataclass(slots=True)
class Times:
    """``ms[mode]`` has one list of runs for each picture; ``peak_mb`` is the process's high water, if it says."""

    ms: dict[str, list[list[float]]] = field(default_factory=lambda: {mode: [] for mode in MODES})
    peak_mb: float | None = None


def measure_times(
    contenders: list[Contender],
    pictures: list[Path],
    rounds: int,
    threads: int,
    max_side_px: int,
    tell: Listener | None = None,
) -> tuple[dict[str, Times], tuple[str, ...]]:
    """Times by contender's name, and why they must not be quoted, if so."""
    times = {contender.name: Times() for contender in contenders}
    workers = [_Worker(contender, threads, max_side_px) for contender in contenders]
    noise = NoiseMeter(threads=threads)
    try:
        for worker in workers:
            worker.time("plain", pictures[0])  # a first run warms up
        noise.start()
        for turn, picture in enumerate(pictures * rounds):
            if tell and turn % len(pictures) == 0:
                tell({"trial": f"timing {len(workers)} detectors, round {turn // len(pictures) + 1} of {rounds}"})
            noise.calibrate()
            for step in range(len(workers)):
                worker = workers[(turn + step) % len(workers)]
                for mode in MODES if turn % 2 else reversed(MODES):
                    answer = worker.time(mode, picture)
                    noise.add_own(answer["cpu_s"])
                    _add(times[worker.name].ms[mode], turn % len(pictures), answer["ms"])
        noise.stop()
        for worker in workers:
            times[worker.name].peak_mb = worker.ask("")["peak_mb"]
    finally:
        for worker in workers:
            worker.close()
    return times, noise.reasons()


def _add(runs: list[list[float]], picture: int, ms: float) -> None:
    if picture == len(runs):
        runs.append([])
    runs[picture].append(ms)


class _Worker:
    """One detector's process."""

    def __init__(self, contender: Contender, threads: int, max_side_px: int) -> None:
        self.name = contender.name
        arguments = [contender.model, str(threads), str(max_side_px)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ligera.studies.detectors.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )

    def time(self, mode: str, picture: Path) -> dict[str, float]:
        return self.ask(f"{mode} {picture}")

    def ask(self, line: str) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise DataError(f"{self.name}: its process ended while it was timed; leave it out, or run again")
        return json.loads(answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(PATIENCE_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            assert self._process.stdout is not None
            self._process.stdout.close()
