"""ONNX Runtime: on the CPU, as the base installation has it, or on an NVIDIA card with the package onnxruntime-gpu.

In: an ONNX file or its bytes, then batches. Out: every output by its name. The provider is always said: ONNX Runtime
would otherwise take what it finds, and go on without a word where a library of CUDA is missing
(https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np

# Since 1.29 it reports the models it loads to its maker and leaves an identifier in the user's home. It heeds only what
# was set before its import, so nothing else here may import it. Whoever sets the variable has the last word.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from ligera.deploy.runtimes.precision import wanted_precision
from ligera.deploy.runtimes.threads import MOST_THREADS, default_threads
from ligera.errors import LigeraError, MissingExtra, ModelError, UsageError

__all__ = ["VERSION", "OnnxFacts", "OnnxRuntime", "available_providers", "inspect_onnx", "profile"]

VERSION: str = onnxruntime.__version__
Provider = Literal["cpu", "cuda"]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
SPINNING = "session.intra_op.allow_spinning"
PRECISIONS = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "int8", "int8": "int8"}


def available_providers() -> tuple[str, ...]:
    """What this installation of ONNX Runtime can run networks on, by its own names, best first."""
    return tuple(onnxruntime.get_available_providers())


class NoCuda(MissingExtra):
    """An installation of ONNX Runtime, or a machine, that cannot run on a card."""

    def __init__(self, reason: str) -> None:
        # not an extra of ours: both packages bring the same module, and whichever comes last wins
        LigeraError.__init__(
            self,
            f"the runtime onnxruntime-cuda: {reason}; run: pip uninstall -y onnxruntime && pip install onnxruntime-gpu",
        )


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """What an ONNX file says of itself; ``None`` for sides that it leaves open."""

    metadata: Mapping[str, str]
    input_shape: tuple[int | None, ...]
    output_shapes: Mapping[str, tuple[int | None, ...]]


class OnnxRuntime:
    """One ONNX model in an inference session of its own; ``threads`` defaults to the cores there are, at most 4.

    ``provider`` is what it runs on: ``cpu``, or ``cuda``, where what a card cannot do stays on the CPU. ``spinning``
    threads look out for the next run without a pause, which is fastest for runs that follow each other and keeps cores
    busy between those that do not; else they sleep. Raises
    ``ModelError`` for a file that is missing, that ONNX Runtime cannot load or not run in its precision, ``UsageError``
    for no threads, ``MissingExtra`` for ``cuda`` where there is none.
    """

    def __init__(
        self, model: Path | bytes, *, threads: int | None = None, provider: Provider = "cpu", spinning: bool = True
    ) -> None:
        self.name = "onnxruntime" if provider == "cpu" else "onnxruntime-cuda"
        self.device = "cpu" if provider == "cpu" else "cuda:0"
        if provider == "cuda" and CUDA not in available_providers():
            raise NoCuda("this onnxruntime was built without CUDA")
        where = "model" if isinstance(model, bytes) else str(model)
        if isinstance(model, Path) and not model.is_file():
            raise ModelError(f"{where}: no such model file")
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise UsageError(f"threads: expected 1 to {MOST_THREADS}, got {threads}")
        self.threads = threads or default_threads()
        options = _options(self.threads)
        if not spinning:
            options.add_session_config_entry(SPINNING, "0")
        source = model if isinstance(model, bytes) else str(model)
        try:
            # Without its fallback, which tries the same again and prints about it on standard output.
            self._session = onnxruntime.InferenceSession(
                source, options, providers=[CUDA, CPU] if provider == "cuda" else [CPU], enable_fallback=False
            )
            self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
            (entry,) = self._session.get_inputs()
        except Exception as error:
            raise ModelError(f"{where}: cannot be loaded as an ONNX model ({_reason(error)})") from None
        if provider == "cuda" and CUDA not in self._session.get_providers():
            raise NoCuda("it cannot use a card here (no driver, or a library of CUDA or cuDNN is missing)")
        if wanted_precision(self.metadata) == "bf16":
            raise ModelError(
                f"{where}: was made for bf16 arithmetic, which ONNX Runtime has not; use --runtime openvino"
            )
        self._input = entry.name
        self.input_shape = _sides(entry.shape)
        self.output_shapes = {output.name: _sides(output.shape) for output in self._session.get_outputs()}
        self._outputs = list(self.output_shapes)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs of one batch by name; ``ModelError`` where the network takes no batch of this shape or type."""
        # nothing is kept between its steps, so that threads may share one session
        return dict(zip(self._outputs, self._run(batch), strict=True))

    def put(self, batch: np.ndarray) -> None:
        """Take ``batch`` as the next input; on a CPU nothing is copied, of a card the next step copies it."""
        self._batch = batch

    def execute(self) -> None:
        """Run the network on what was put there."""
        self._values = self._run(self._batch)

    def take(self) -> dict[str, np.ndarray]:
        """The outputs, which the step before has copied."""
        values, self._values = self._values, []
        return dict(zip(self._outputs, values, strict=True))

    def _run(self, batch: np.ndarray) -> list[np.ndarray]:
        try:
            return self._session.run(self._outputs, {self._input: batch})
        except Exception as error:
            raise ModelError(
                f"the network cannot run a {batch.dtype} input of shape {batch.shape} ({_reason(error)})"
            ) from None

    def close(self) -> None:
        """Free the session; the runtime cannot run afterwards."""
        del self._session


def inspect_onnx(path: Path) -> OnnxFacts:
    """What the ONNX file at ``path`` says of itself; ``ModelError`` for one that is missing or damaged."""
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    options = _options(1)
    # nothing is going to run here; with no optimisation at all shapes would not be known
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[CPU], enable_fallback=False)
        (entry,) = session.get_inputs()
        return OnnxFacts(
            session.get_modelmeta().custom_metadata_map,
            _sides(entry.shape),
            {output.name: _sides(output.shape) for output in session.get_outputs()},
        )
    except Exception as error:
        raise ModelError(f"{path}: cannot be loaded as an ONNX model ({_reason(error)})") from None


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # Fatal only: errors are raised besides, and a command has one line for each.
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Pictures come in any size: a plan of memory for each size seen would be kept for ever.
    options.enable_mem_pattern = False
    return options


def profile(path: Path, batch: np.ndarray, *, threads: int, runs: int) -> list[tuple[str, str, str, float]]:
    """Each step of the network at ``path`` as it ran on ``batch``: name, kind, precision, median of ``runs`` in ms.

    What converts between precisions counts as that which it makes.
    """
    options = _options(threads)
    options.enable_profiling = True
    with tempfile.TemporaryDirectory(prefix="ligera-") as folder:
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(str(path), options, providers=[CPU], enable_fallback=False)
        (entry,) = session.get_inputs()
        for _ in range(runs):
            session.run(None, {entry.name: batch})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return _steps(events)


def _steps(events: list[dict[str, Any]]) -> list[tuple[str, str, str, float]]:
    """Kernels by the node they ran for, in the order of their first run."""
    times: dict[str, list[float]] = {}
    said: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            times.setdefault(name, []).append(event["dur"] / 1e3)
            said[name] = event["args"]
    return [(name, said[name]["op_name"], _precision(said[name]), median(ms)) for name, ms in times.items()]


def _precision(arguments: dict[str, Any]) -> str:
    key = "output_type_shape" if "Quantize" in arguments["op_name"] else "input_type_shape"
    kinds = [kind for entry in arguments.get(key, []) for kind in entry]
    first = kinds[0] if kinds else ""
    return PRECISIONS.get(first, first or "none")


def _sides(shape: list[int | str | None]) -> tuple[int | None, ...]:
    """A shape with ``None`` where the file only gives a side's name."""
    return tuple(side if isinstance(side, int) else None for side in shape)


def _reason(error: Exception) -> str:
    """The first line of ONNX Runtime's message, without its error codes and the machine that built it."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line.rpartition(" : ")[2][:200]
