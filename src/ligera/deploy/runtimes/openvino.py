"""OpenVINO on the CPU: the fastest runtime for int8 bundles on x86, and the one that runs bf16. Extra ``openvino``.

In: an ONNX file, then batches. Out: every output by its name. Precision is always said: OpenVINO would otherwise take
bf16 wherever the processor has it, and score differently without a word. Arithmetic is float32, but for the layers that
an int8 bundle quantised, and for a bundle made for bf16. The compiled network is kept beside the bundle (see
``engine_cache``). A network that is given batches of one shape again and again is compiled for that shape besides,
which took 20 to 30 % off face detectors.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ligera.deploy.runtimes.engine_cache import EngineCache, EngineKey
from ligera.deploy.runtimes.precision import wanted_precision
from ligera.deploy.runtimes.threads import MOST_THREADS, default_threads
from ligera.errors import MissingExtra, ModelError, UsageError

__all__ = ["OpenVinoRuntime", "profile"]

DEVICE = "CPU"
# Fewer in a row may be chance; compiling takes as long as a hundred runs.
SAME_SHAPE_RUNS = 8
# What OpenVINO calls them, in lower case, at the end of a kernel's name.
PRECISIONS = {"f32": "fp32", "fp32": "fp32", "f16": "fp16", "fp16": "fp16", "i8": "int8", "u8": "int8"}
# The first field of any ONNX file. Of other bytes OpenVINO's readers complain on standard error, each in its way.
FIRST_BYTE = b"\x08"


def _openvino() -> Any:
    try:
        import openvino
    except ModuleNotFoundError:
        raise MissingExtra("openvino", "openvino", "the runtime openvino") from None
    return openvino


class OpenVinoRuntime:
    """One ONNX model compiled for this processor; ``threads`` defaults to the cores there are, at most 4.

    ``precision`` is that of float arithmetic, ``f32`` or ``bf16``. Raises ``ModelError`` for a file that is missing or
    that OpenVINO cannot load, and for bf16 on a processor without; ``UsageError`` for no threads, ``MissingExtra``
    without openvino.
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise UsageError(f"threads: expected 1 to {MOST_THREADS}, got {threads}")
        self._openvino = _openvino()
        self.threads = threads or default_threads()
        content = _content(path)
        self._core = self._openvino.Core()
        try:
            self._model = self._core.read_model(content)
            self.metadata: Mapping[str, str] = _metadata(self._model)
            (entry,) = self._model.inputs
            self.input_shape = _sides(entry.partial_shape)
            self._type = entry.element_type.to_dtype()
            self.output_shapes = {port.any_name: _sides(port.partial_shape) for port in self._model.outputs}
            self.precision = self._precision(path)
            self._any_shape = self._compiled(path, hashlib.sha256(content).hexdigest())
        except RuntimeError as error:
            raise ModelError(f"{path}: cannot be loaded as an ONNX model by OpenVINO ({_reason(error)})") from None
        self._one_shape: Any = None
        self._request: Any = None
        self._batch: Any = None
        self._seen: tuple[tuple[int, ...], int] = ((), 0)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs of one batch by name; ``ModelError`` where the network takes no batch of this shape or type."""
        self.put(batch)
        self.execute()
        return self.take()

    def put(self, batch: np.ndarray) -> None:
        """Take ``batch`` as the next input, without a copy where it lies in one piece and may be written to."""
        if batch.dtype != self._type:
            raise _refused(batch, f"expected {self._type}")
        # kept, as the tensor only points at it; it may not point at what is read-only
        self._batch = np.require(batch, requirements=["C", "W"])
        try:
            self._request = self._request_for(batch.shape)
            self._request.set_input_tensor(self._openvino.Tensor(self._batch, shared_memory=True))
        except RuntimeError as error:
            raise _refused(batch, _reason(error)) from None

    def execute(self) -> None:
        """Run the network on what was put there."""
        try:
            # outputs stay where they are: of the copies that infer() makes otherwise nobody reads one
            self._request.infer(share_outputs=True)
        except RuntimeError as error:
            raise _refused(self._batch, _reason(error)) from None

    def take(self) -> dict[str, np.ndarray]:
        """The outputs, copied, as the next run writes to the same memory."""
        return {name: self._request.get_tensor(name).data.copy() for name in self.output_shapes}

    def close(self) -> None:
        """Free the network; the runtime cannot run afterwards."""
        self._request = self._one_shape = self._batch = None
        del self._any_shape, self._model

    def _request_for(self, shape: tuple[int, ...]) -> Any:
        last, count = self._seen
        self._seen = (shape, count + 1 if shape == last else 1)
        if None not in self.input_shape:
            return self._any_shape
        if shape != last:
            self._one_shape = None
        elif self._one_shape is None and count == SAME_SHAPE_RUNS:
            model = self._model.clone()
            model.reshape(list(shape))
            self._one_shape = self._core.compile_model(model, DEVICE, self._settings()).create_infer_request()
        return self._one_shape or self._any_shape

    def profile(self, batch: np.ndarray, runs: int) -> list[tuple[str, str, str, float]]:
        """Each step as it ran on ``batch``, compiled for its shape: name, kind, precision, median of ``runs`` in ms."""
        model = self._model.clone()
        model.reshape(list(batch.shape))
        settings = self._settings() | {"PERF_COUNT": True}
        request = self._core.compile_model(model, DEVICE, settings).create_infer_request()
        times: dict[tuple[str, str, str], list[float]] = {}
        for _ in range(runs):
            request.infer([np.ascontiguousarray(batch)], share_inputs=True)
            for step in request.profiling_info:
                if step.status.name == "EXECUTED":
                    precision = step.exec_type.rpartition("_")[2].lower()
                    key = (step.node_name, step.node_type, PRECISIONS.get(precision, precision))
                    times.setdefault(key, []).append(step.real_time.total_seconds() * 1e3)
        return [(*key, median(ms)) for key, ms in times.items()]

    def _precision(self, path: Path) -> str:
        if wanted_precision(self.metadata) != "bf16":
            return "f32"
        if "BF16" not in self._core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
            raise ModelError(f"{path}: was made for bf16 arithmetic, which this processor does not have; export fp32")
        return "bf16"

    def _settings(self) -> dict[str, Any]:
        return {
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }

    def _compiled(self, path: Path, digest: str) -> Any:
        device = self._core.get_property(DEVICE, "FULL_DEVICE_NAME")
        version = self._openvino.__version__.partition("-")[0]
        cache = EngineCache(path, EngineKey(digest, self.name, version, device, self.precision))
        engine, settings = cache.read(), self._settings()
        if engine is not None:
            try:
                # Said again, as a network that was read back would otherwise run in bf16.
                return self._core.import_model(io.BytesIO(engine), DEVICE, settings).create_infer_request()
            except RuntimeError:
                pass  # of another build of the same version; compiled again below
        compiled = self._core.compile_model(self._model, DEVICE, settings)
        exported = compiled.export_model()
        cache.write(exported if isinstance(exported, bytes) else exported.getvalue())
        return compiled.create_infer_request()


def profile(path: Path, batch: np.ndarray, *, threads: int, runs: int) -> list[tuple[str, str, str, float]]:
    """Each step of the network at ``path`` as it ran on ``batch``: name, kind, precision, median of ``runs`` in ms.

    Raises what :class:`OpenVinoRuntime` does.
    """
    runtime = OpenVinoRuntime(path, threads=threads)
    return runtime.profile(batch, runs)


def _refused(batch: np.ndarray, problem: str) -> ModelError:
    return ModelError(f"the network cannot run a {batch.dtype} input of shape {batch.shape} ({problem})")


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    content = path.read_bytes()
    if not content.startswith(FIRST_BYTE):
        raise ModelError(f"{path}: cannot be loaded as an ONNX model by OpenVINO (not an ONNX file)")
    return content


def _metadata(model: Any) -> dict[str, str]:
    """The file's own keys, which OpenVINO keeps among what it knows of the framework that made it."""
    info = model.get_rt_info()
    if "framework" not in info:
        return {}
    return {name: value.astype(str) for name, value in info["framework"].items()}


def _sides(shape: Any) -> tuple[int | None, ...]:
    return tuple(side.get_length() if side.is_static else None for side in shape)


def _reason(error: Exception) -> str:
    """The last line of OpenVINO's message that says something; those before name its own source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Exception from", "Check '", "FrontEnd API"))]
    return (said or lines or [type(error).__name__])[-1][:200]
