"""What precision and runtime are worth on this processor: torch eager, ONNX Runtime and OpenVINO side by side.

    python benchmarks/precisions.py CALIBRATION_PICTURES [--models face face-small mobilenetv2] [--threads 2]

The same network, from a picture prepared to its outputs in numpy: what is copied in and out counts, preparing and
decoding do not. int8 and bf16 bundles are made for the run (``ligera export``), int8 calibrated on the pictures given.
``mobilenetv2`` is timm's ``mobilenetv2_100`` for 1,000 classes with random weights: of use for its latency alone.
Every engine lives in a process of its own; they take turns in an order that rotates. The table gives the median of all
runs in ms, the fastest round, the CPU time of a run (which other work on the machine moves less), and the median of
paired rounds' ratios with their range: how many times as fast as torch and as ONNX Runtime in fp32.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ligera.deploy.builtin import builtin_names, builtin_path
from ligera.deploy.timing.noise import NoiseMeter
from ligera.meter.hardware import inspect_hardware

RUNS_PER_TURN = 10
WARM_UP = 3
# Long enough for a runtime that compiles for a shape once it stays.
FIRST_RUNS = 30
CLASSES, CLASSIFIED_PX = 1000, 224
ENGINES = (
    ("torch", "fp32"),
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("openvino", "int8"),
)


@dataclass(frozen=True)
class Job:
    """``file`` is a bundle, or for torch the name of a network; sizes in px."""

    model: str
    runtime: str
    precision: str
    file: str
    height: int
    width: int
    threads: int


def network(name: str) -> Any:
    from ligera.models.catalogue import build
    from ligera.models.classifiers import build_classifier

    net = build_classifier("mobilenetv2_100", CLASSES) if name == "mobilenetv2" else build(name)
    return net.eval()


def make_bundles(name: str, folder: Path, pictures: Path) -> dict[str, Path]:
    """A bundle of the network in each precision."""
    from ligera.deploy.bundle import BundleCard
    from ligera.deploy.export.network import export_classifier
    from ligera.deploy.quantization.converting import ConversionPlan, convert
    from ligera.records import Preprocess

    if name in builtin_names():
        whole = builtin_path(name)
    else:
        side = CLASSIFIED_PX
        mean, std = np.array([0.485, 0.456, 0.406]) * 255, np.array([0.229, 0.224, 0.225]) * 255
        rule = Preprocess(
            mean=tuple(mean.tolist()), scale=tuple((1 / std).tolist()), multiple=1, fixed=(side, side), crop=True
        )
        labels = tuple(f"class {number}" for number in range(CLASSES))
        whole = folder / f"{name}.onnx"
        export_classifier(network(name), BundleCard(name, rule, task="classify", labels=labels), whole)
    made = {"fp32": whole}
    for precision in ("bf16", "int8"):
        made[precision] = folder / f"{name}-{precision}.onnx"
        plan = ConversionPlan(precision, calibrate=pictures if precision == "int8" else None)
        convert(whole, made[precision], plan)
    return made


def runner(job: Job) -> Callable[[], object]:
    """What runs the job's network once on a picture that is prepared."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, job.height, job.width), np.uint8)
    if job.runtime == "torch":
        import torch

        torch.set_num_threads(job.threads)
        net, batch = network(job.file), pixels.astype(np.float32)

        def once() -> object:
            with torch.inference_mode():
                outputs = net(torch.from_numpy(batch))
            return [part.numpy() for part in (outputs if isinstance(outputs, tuple) else (outputs,))]

        return once
    from ligera.deploy.opening import open_bundle

    opened = open_bundle(job.file, threads=job.threads, runtime=job.runtime)
    given = pixels.astype(opened.card.preprocess.dtype)
    return lambda: opened.runtime.run(given)


def work(job: Job) -> None:
    """The measured process: for each line read, the milliseconds of a turn and the seconds of CPU it took."""
    once = runner(job)
    for _ in range(FIRST_RUNS):
        once()
    print("ready", flush=True)
    for _ in sys.stdin:
        cpu = time.process_time()
        for _ in range(WARM_UP):
            once()
        times = []
        for _ in range(RUNS_PER_TURN):
            started = time.perf_counter()
            once()
            times.append((time.perf_counter() - started) * 1e3)
        print(json.dumps([times, time.process_time() - cpu]), flush=True)


def measure(jobs: list[Job], rounds: int, stack: ExitStack) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Milliseconds ``(jobs, rounds, runs)``, those of CPU for a run ``(jobs, rounds)``, and why not to quote them."""
    command = [sys.executable, __file__, "--work"]
    pipe = subprocess.PIPE
    workers = [
        stack.enter_context(
            subprocess.Popen([*command, json.dumps(asdict(job))], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        )
        for job in jobs
    ]
    for job, worker in zip(jobs, workers, strict=True):
        if worker.stdout.readline() != "ready\n":
            sys.exit(f"{job.model} {job.runtime} {job.precision}: {worker.stderr.read().strip()[-500:]}")
    noise = NoiseMeter(threads=jobs[0].threads)
    noise.start()
    times, used = np.zeros((len(jobs), rounds, RUNS_PER_TURN)), np.zeros((len(jobs), rounds))
    for number in range(rounds):
        for place in np.roll(np.arange(len(jobs)), -number):
            noise.calibrate()
            workers[place].stdin.write("turn\n")
            workers[place].stdin.flush()
            times[place, number], cpu_s = json.loads(workers[place].stdout.readline())
            used[place, number] = cpu_s * 1e3 / (RUNS_PER_TURN + WARM_UP)
            noise.add_own(cpu_s)
    noise.stop()
    for worker in workers:
        worker.stdin.close()
    return times, used, noise.reasons()


def show(jobs: list[Job], times: np.ndarray, used: np.ndarray) -> None:
    rows = np.median(times, axis=2)
    torch_row, base = rows[0], rows[1]
    size = f"{jobs[0].width} x {jobs[0].height} px"
    print(f"\n{jobs[0].model}, {size}, {jobs[0].threads} threads, {times[0].size} runs each")
    print("runtime      precision       ms     best   CPU ms   over torch (range)     over onnxruntime fp32 (range)")
    for job, own, cpu, row in zip(jobs, times, used, rows, strict=True):
        faster, beside = torch_row / row, base / row
        print(
            f"{job.runtime:12} {job.precision:9} {median(own.ravel()):8.2f} {row.min():8.2f} {np.median(cpu):8.2f}   "
            f"{np.median(faster):5.2f} ({faster.min():.2f}-{faster.max():.2f})      "
            f"{np.median(beside):5.2f} ({beside.min():.2f}-{beside.max():.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, help="pictures to calibrate int8 on")
    parser.add_argument("--models", nargs="+", default=["face", "face-small", "mobilenetv2"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--size", default="416x320", help="what detectors are given, px")
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    hardware = inspect_hardware()
    print(f"{hardware.processor}; {RUNS_PER_TURN} runs a turn, {arguments.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models:
            bundles = make_bundles(name, Path(folder), arguments.pictures)
            size = (CLASSIFIED_PX, CLASSIFIED_PX) if name == "mobilenetv2" else (height, width)
            jobs = [
                Job(
                    name,
                    runtime,
                    precision,
                    name if runtime == "torch" else str(bundles[precision]),
                    *size,
                    arguments.threads,
                )
                for runtime, precision in ENGINES
            ]
            with ExitStack() as stack:
                times, used, reasons = measure(jobs, arguments.rounds, stack)
            show(jobs, times, used)
            if reasons:
                print(f"too noisy to quote: {'; '.join(reasons)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(Job(**json.loads(sys.argv[2])))
    else:
        main()
