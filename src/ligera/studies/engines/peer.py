"""OpenVINO's own ``benchmark_app`` on the same bundle beside our timing of it: do both see the same network run?

In: contenders of the runtime openvino. Out: :class:`Agreement` records. The program times ``infer`` of one request,
synchronously, as our stage ``execute`` does. A machine's clock wanders more from minute to minute than the two may
differ, so short slices of either follow each other, and what counts is the ratio of two neighbours: its median over all
pairs and the interval that their order gives. Which of the two goes first changes from pair to pair. Of each slice the
median is compared, which is what the program prints, and the fastest run, which work of others cannot lengthen.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ligera.deploy.onnx_package import load_onnx
from ligera.errors import DataError
from ligera.files import write_bytes
from ligera.studies.engines.contenders import Contender
from ligera.studies.engines.process import Process

__all__ = ["Agreement", "Pairs", "agree", "command_of"]

PRECISIONS = {"fp32": "f32", "int8": "f32", "bf16": "bf16"}
PATIENCE_S = 300
WITHIN = 0.10
SURE = 0.90
WARM_UP, BLOCK = 50, 20
Slice = tuple[float, float]  # median and fastest run in ms


@dataclass(frozen=True, slots=True)
class Pairs:
    """One figure of each slice in ms: ``ours`` and ``theirs``, pair by pair."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(own / other for own, other in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        return float(np.median(self.ratios))

    @property
    def interval(self) -> tuple[float, float] | None:
        """90 % or more for the median ratio, whatever ratios are spread like; ``None`` for too few pairs to say."""
        ordered, count = sorted(self.ratios), len(self.ratios)
        # how many of the lowest and of the highest can be left out: below the k-th lie fewer than k of them
        below, out = 1.0, 0
        while 2 * below / 2**count <= 1 - SURE and 2 * (out + 1) <= count:
            out += 1
            below += math.comb(count, out)
        return (ordered[out - 1], ordered[-out]) if out else None

    @property
    def verdict(self) -> str:
        """``yes`` or ``no`` where the whole interval is within, or beyond, what two may differ; else ``open``."""
        if self.interval is None:
            return "open"
        low, high = self.interval
        if low >= 1 - WITHIN and high <= 1 + WITHIN:
            return "yes"
        return "no" if high < 1 - WITHIN or low > 1 + WITHIN else "open"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Medians and fastest runs of the slices of one contender."""

    key: str
    medians: Pairs
    fastest: Pairs


def command_of(contender: Contender, seconds: int, report: Path) -> list[str]:
    """The program's command line for what we run."""
    shape = f"[{contender.batch},3,{contender.height},{contender.width}]"
    return [
        *(sys.executable, "-c", "from openvino.tools.benchmark.main import main; main()"),
        *("-m", str(contender.bundle), "-d", "CPU", "-hint", "none", "-api", "sync", "-nireq", "1"),
        *("-nstreams", "1", "-nthreads", str(contender.threads), "-shape", shape, "-t", str(seconds)),
        # Left to itself it feeds pictures as bytes, whatever the network takes.
        *("-infer_precision", PRECISIONS[contender.engine.precision], "-ip", _input_of(contender.bundle)),
        *("-report_type", "no_counters", "-report_folder", str(report), "-json_stats"),
    ]  # fmt: skip


def _input_of(bundle: Path) -> str:
    """What kind of numbers a network takes, as the program calls it."""
    onnx = load_onnx("comparing with benchmark_app")
    taken = onnx.load(bundle, load_external_data=False).graph.input[0].type.tensor_type.elem_type
    return {onnx.TensorProto.UINT8: "u8", onnx.TensorProto.FLOAT: "f32"}[taken]


def agree(contender: Contender, pairs: int, seconds: int, folder: Path) -> Agreement:
    """Measure ``pairs`` slices of ``seconds`` of both, or read what stands in ``folder``.

    Raises ``DataError`` where the program fails, or for a damaged file there.
    """
    path = folder / f"{contender.key}.json"
    if path.is_file():
        found = _read(path)
        if len(found.medians.ours) == pairs:
            return found
    ours: list[Slice] = []
    theirs: list[Slice] = []
    with Process(contender) as process:
        process.ask(str(WARM_UP))
        for pair in range(pairs):
            if pair % 2:
                theirs.append(_theirs(contender, seconds))
            ours.append(_ours(process, seconds))
            if not pair % 2:
                theirs.append(_theirs(contender, seconds))
    medians, fastest = (Pairs(*each) for each in zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True))
    found = Agreement(contender.key, medians, fastest)
    write_bytes(path, (json.dumps(asdict(found)) + "\n").encode())
    return found


def _read(path: Path) -> Agreement:
    try:
        row = json.loads(path.read_text())
        return Agreement(str(row["key"]), _pairs(row["medians"]), _pairs(row["fastest"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged ({error}); remove it, it is measured again") from None


def _pairs(row: dict) -> Pairs:
    ours, theirs = (tuple(float(value) for value in row[name]) for name in ("ours", "theirs"))
    if len(ours) != len(theirs) or not ours or min(*ours, *theirs) <= 0:
        raise ValueError("no pairs of times")
    return Pairs(ours, theirs)


def _ours(process: Process, seconds: int) -> Slice:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        times += process.ask(str(BLOCK))["execute"]
    return float(np.median(times)), min(times)


def _theirs(contender: Contender, seconds: int) -> Slice:
    with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
        command = command_of(contender, seconds, Path(folder))
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        try:
            return _figures(json.loads(next(Path(folder).glob("*.json")).read_text()))
        except (StopIteration, ValueError, KeyError) as error:
            said = (done.stderr or done.stdout).strip().splitlines() or [repr(error)]
            raise DataError(f"benchmark_app on {contender.bundle}: gave no latency ({said[-1][:200]})") from None


def _figures(report: dict) -> Slice:
    """``latency (ms)`` among the results is the median where no other percentile was asked for."""
    results = report["execution_results"]
    return float(results["latency (ms)"]), float(results["min latency"])
