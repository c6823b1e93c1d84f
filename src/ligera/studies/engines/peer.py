"""OpenVINO's own ``benchmark_app`` on the same bundle beside our timing of it: do both see the same network run?

In: contenders of the runtime openvino. Out: :class:`Agreement` records. The program times ``infer`` of one request,
synchronously, as our stage ``execute`` does; ours, theirs and ours again follow each other, and it is the quieter of
ours that is compared, so that a machine that drifts shows as ours differing from ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.studies.engines.contenders import Contender
from ligera.studies.engines.process import Process

__all__ = ["Agreement", "agree", "command_of"]

PRECISIONS = {"fp32": "f32", "int8": "f32", "bf16": "bf16"}
PATIENCE_S = 300
WITHIN = 0.10


@dataclass(frozen=True, slots=True)
class Agreement:
    """Medians in ms: ``ours`` before and after, ``theirs`` between."""

    key: str
    ours: tuple[float, float]
    theirs: float

    @property
    def ratio(self) -> float:
        return min(self.ours) / self.theirs

    @property
    def holds(self) -> bool:
        return abs(self.ratio - 1) <= WITHIN


def command_of(contender: Contender, seconds: int, report: Path) -> list[str]:
    """The program's command line for what we run."""
    shape = f"[{contender.batch},3,{contender.height},{contender.width}]"
    return [
        *(sys.executable, "-c", "from openvino.tools.benchmark.main import main; main()"),
        *("-m", str(contender.bundle), "-d", "CPU", "-hint", "none", "-api", "sync", "-nireq", "1"),
        *("-nstreams", "1", "-nthreads", str(contender.threads), "-shape", shape, "-t", str(seconds)),
        *("-infer_precision", PRECISIONS[contender.engine.precision]),
        *("-report_type", "no_counters", "-report_folder", str(report), "-json_stats"),
    ]  # fmt: skip


def agree(contender: Contender, runs: int, seconds: int, folder: Path) -> Agreement:
    """Measure both, or read what stands in ``folder``; ``DataError`` where the program fails."""
    path = folder / f"{contender.key}.json"
    if path.is_file():
        row = json.loads(path.read_text())
        return Agreement(row["key"], tuple(row["ours"]), row["theirs"])
    with Process(contender) as process:
        first = _ours(process, runs)
        theirs = _theirs(contender, seconds)
        second = _ours(process, runs)
    found = Agreement(contender.key, (first, second), theirs)
    write_bytes(path, (json.dumps(asdict(found)) + "\n").encode())
    return found


def _ours(process: Process, runs: int) -> float:
    process.ask("20")
    return float(np.median(process.ask(str(runs))["execute"]))


def _theirs(contender: Contender, seconds: int) -> float:
    with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
        command = command_of(contender, seconds, Path(folder))
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        try:
            return _median(json.loads(next(Path(folder).glob("*.json")).read_text()))
        except (StopIteration, ValueError, KeyError) as error:
            said = (done.stderr or done.stdout).strip().splitlines() or [repr(error)]
            raise DataError(f"benchmark_app on {contender.bundle}: gave no latency ({said[-1][:200]})") from None


def _median(report: dict) -> float:
    """``latency (ms)`` among the results, which is the median where no other percentile was asked for."""
    return float(report["execution_results"]["latency (ms)"])
