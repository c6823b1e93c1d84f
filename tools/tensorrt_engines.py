"""A bundle on an NVIDIA card: build its TensorRT engines, time them as paper E does, say what runs on the DLA.

    python tools/tensorrt_engines.py face --precision fp32 fp16 int8 --calibrate PICTURES --size 640x480
    python tools/tensorrt_engines.py face --precision fp16 int8 --calibrate PICTURES --size 640x480 --dla 0
    python tools/tensorrt_engines.py face.onnx --trtexec          # only print the trtexec lines; needs no card

For the owner of a card: Ligera's developers have none, so this prints your numbers and the project none of its own.
Each precision is built, or read back, and timed with 50 warm-ups and 1,000 batches: copy in, network, copy out, as the
paper counts latency. int8 of a bundle in float is calibrated (TensorRT 10); TensorRT 11 takes a bundle that was
quantised first, which TensorRT 10 takes too:

    ligera export face -o face-s8.onnx --precision int8 --activations s8 --calibrate PICTURES
    python tools/tensorrt_engines.py face-s8.onnx

Then `ligera bench face-s8.onnx --runtime tensorrt`, `ligera eval`, `ligera detect` and `ligera bench --layers` with
`--runtime tensorrt` run the engine. Needs `pip install 'ligera[tensorrt]'`, on a Jetson JetPack's own tensorrt.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ligera.deploy.quantization.source import find_bundle
from ligera.deploy.runtimes.onnxruntime import inspect_onnx
from ligera.deploy.runtimes.precision import wanted_precision
from ligera.deploy.runtimes.tensorrt import TensorRtRuntime
from ligera.deploy.runtimes.tensorrt_plan import PRECISIONS, TensorRtOptions, shapes_for
from ligera.errors import LigeraError, UsageError

WARM_UP, BATCHES = 50, 1000
# of trtexec 10; in 11 a precision is that of the file's tensors and such a flag an error
FLAGS = {"fp32": "--noTF32", "fp16": "--noTF32 --fp16", "bf16": "--noTF32 --bf16", "int8": "--noTF32 --int8"}


def trtexec_lines(path: Path, options: TensorRtOptions) -> list[str]:
    """What NVIDIA's own program is called with to build and time the same engine, for TensorRT 10 and for 11.

    Of int8 it can build only a bundle that was quantised before, as it has no pictures to calibrate on.
    """
    facts = inspect_onnx(path)
    precision = options.precision or wanted_precision(facts.metadata)
    quantised = wanted_precision(facts.metadata) == "int8"
    shapes = shapes_for(facts.input_shape, facts.metadata, options, str(path))
    sides = {"min": shapes.lowest, "opt": shapes.likely, "max": shapes.highest}
    words = [f"--{name}Shapes=pictures:{'x'.join(map(str, shape))}" for name, shape in sides.items()]
    dla = [] if options.dla_core is None else [f"--useDLACore={options.dla_core}", "--allowGPUFallback"]
    engine = f"{path.stem}-{precision}.engine"
    shared = ["--onnx=" + str(path), *(words if None in facts.input_shape else []), *dla, f"--saveEngine={engine}"]
    shared += ["--profilingVerbosity=detailed", "--exportLayerInfo=" + engine + ".json"]
    timing = f"trtexec --loadEngine={engine} --iterations={BATCHES} --warmUp=500 --avgRuns=100 --useSpinWait"
    if precision == "int8" and not quantised:
        return [
            "# trtexec has no pictures to calibrate on; quantise first: ligera export --precision int8 --activations s8"
        ]
    ten = "--noTF32 --stronglyTyped" if quantised else FLAGS[precision]
    lines = ["# TensorRT 10", " ".join(["trtexec", *shared, *ten.split()])]
    if precision in ("fp32", "int8"):
        lines += ["# TensorRT 11", " ".join(["trtexec", *shared, "--noTF32"])]
    else:
        lines += ["# TensorRT 11 has no flag for it: there `--runtime tensorrt` types the graph in fp16 first"]
    shape = f" --shapes=pictures:{'x'.join(map(str, shapes.likely))}" if None in facts.input_shape else ""
    return [*lines, "# then", timing + shape]


def measure(path: Path, options: TensorRtOptions, batches: int = BATCHES) -> dict[str, Any]:
    """Build or read the engine and time it: medians in ms of the stages, throughput, what runs on the DLA."""
    runtime = TensorRtRuntime(path, options=options)
    try:
        batch = np.random.default_rng(0).integers(0, 256, runtime.shapes.likely, np.uint8).astype(runtime.input_type)
        times = []
        for number in range(WARM_UP + batches):
            started = time.perf_counter()
            runtime.put(batch)
            inside = time.perf_counter()
            runtime.execute()
            done = time.perf_counter()
            runtime.take()
            if number >= WARM_UP:
                times.append((inside - started, done - inside, time.perf_counter() - done))
        stages = np.array(times) * 1e3
        share = runtime.dla_share()
        return {
            "file": str(path),
            "device": runtime.device,
            "tensorrt": runtime.tensorrt_version,
            "precision": runtime.precision,
            "shape": list(batch.shape),
            "warm_up": WARM_UP,
            "n": batches,
            **{name: float(np.median(stages[:, i])) for i, name in enumerate(("in_ms", "network_ms", "out_ms"))},
            "latency_ms": float(np.median(stages.sum(1))),
            "p95_ms": float(np.quantile(stages.sum(1), 0.95)),
            "pictures_per_s": 1e3 * batches * batch.shape[0] / float(stages.sum()),
            "layers": _counts(runtime),
            "dla": None if share is None else share.as_dict(),
        }
    finally:
        runtime.close()


def _counts(runtime: TensorRtRuntime) -> dict[str, int]:
    """How many of the engine's layers read which precision, by TensorRT's inspector."""
    found: dict[str, int] = {}
    for layer in runtime.layers():
        found[layer.precision] = found.get(layer.precision, 0) + 1
    return found


def show(row: dict[str, Any]) -> None:
    """One engine in three lines."""
    print(f"{row['file']}, {row['precision']}, {row['device']}, TensorRT {row['tensorrt']}, input {row['shape']}")
    print(
        f"  in {row['in_ms']:.3f} ms, network {row['network_ms']:.3f} ms, out {row['out_ms']:.3f} ms; latency "
        f"{row['latency_ms']:.3f} ms, p95 {row['p95_ms']:.3f} ms, {row['pictures_per_s']:.1f} pictures/s "
        f"({row['n']} batches after {row['warm_up']})"
    )
    dla = row["dla"]
    if dla is not None:
        print(
            f"  on the DLA: {dla['running']} of {dla['layers']} layers ({dla['share']:.0%}) in {dla['subgraphs']} parts"
            f"; the builder allowed {dla['allowed']}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n\n")[0],
        epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a bundle, or the name of a built-in model")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, help="default: the bundle's own")
    parser.add_argument("--calibrate", type=Path, metavar="FOLDER", help="pictures for int8, TensorRT 10 only")
    parser.add_argument("--calibration", choices=("entropy", "minmax"), default="entropy")
    parser.add_argument("--size", metavar="WxH", help="input of a bundle that takes any, px")
    parser.add_argument("--dla", type=int, metavar="CORE", help="put on this DLA core what it can run")
    parser.add_argument("--batches", type=int, default=BATCHES, help=f"timed batches, default {BATCHES}")
    parser.add_argument("--trtexec", action="store_true", help="only print trtexec lines")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each engine")
    asked = parser.parse_args(arguments)
    try:
        path = find_bundle(asked.model)
        if path is None:
            raise UsageError(f"{asked.model}: is no bundle; give a built-in name or an .onnx file")
        for precision in asked.precision or [None]:
            calibrate = asked.calibrate if precision in (None, "int8") else None
            options = TensorRtOptions(
                precision, calibrate, asked.calibration, dla_core=asked.dla, size=parse_size(asked.size)
            )
            if asked.trtexec:
                print("\n".join(trtexec_lines(path, options)))
                continue
            row = measure(path, options, asked.batches)
            print(json.dumps(row)) if asked.json else show(row)
    except (LigeraError, OSError) as error:
        print(f"tensorrt_engines: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    return 0


def parse_size(text: str | None) -> tuple[int, int] | None:
    """``640x480`` -> (width, height); ``UsageError`` for anything else."""
    if text is None:
        return None
    width, cross, height = text.partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise UsageError(f"--size: expected such as 640x480, got {text!r}")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
