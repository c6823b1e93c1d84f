"""ONNX Runtime on the CPU: the runtime that the base installation has.

In: an ONNX file or its bytes, then batches. Out: every output by its name.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

# Since 1.29 it reports the models it loads to its maker and leaves an identifier in the user's home. It heeds only what
# was set before its import, so nothing else here may import it. Whoever sets the variable has the last word.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

from ligera.deploy.runtimes.precision import wanted_precision
from ligera.deploy.runtimes.threads import MOST_THREADS, default_threads
from ligera.errors import ModelError, UsageError

__all__ = ["VERSION", "OnnxRuntime", "available_providers", "profile"]

VERSION: str = onnxruntime.__version__
PRECISIONS = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "int8", "int8": "int8"}


def available_providers() -> tuple[str, ...]:
    """What this installation of ONNX Runtime can run networks on, by its own names, best first."""
    return tuple(onnxruntime.get_available_providers())


class OnnxRuntime:
    """One ONNX model in an inference session of its own; ``threads`` defaults to the cores there are, at most 4.

    Raises ``ModelError`` for a file that is missing, that ONNX Runtime cannot load or not run in its precision,
    ``UsageError`` for no threads.
    """

    name = "onnxruntime"
    device = "cpu"

    def __init__(self, model: Path | bytes, *, threads: int | None = None) -> None:
        where = "model" if isinstance(model, bytes) else str(model)
        if isinstance(model, Path) and not model.is_file():
            raise ModelError(f"{where}: no such model file")
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise UsageError(f"threads: expected 1 to {MOST_THREADS}, got {threads}")
        self.threads = threads or default_threads()
        options = _options(self.threads)
        source = model if isinstance(model, bytes) else str(model)
        try:
            # Without its fallback, which tries the same again and prints about it on standard output.
            self._session = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
            self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
            (entry,) = self._session.get_inputs()
        except Exception as error:
            raise ModelError(f"{where}: cannot be loaded as an ONNX model ({_reason(error)})") from None
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
        try:
            values = self._session.run(self._outputs, {self._input: batch})
        except Exception as error:
            raise ModelError(
                f"the network cannot run a {batch.dtype} input of shape {batch.shape} ({_reason(error)})"
            ) from None
        return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """Free the session; the runtime cannot run afterwards."""
        del self._session


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
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
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
