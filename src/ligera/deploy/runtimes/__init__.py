"""What runs a network: one small protocol and a plain dictionary of those there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from ligera.errors import UsageError, nearest

__all__ = ["RUNTIMES", "Runtime", "StagedRuntime", "for_live", "open_runtime"]


class Runtime(Protocol):
    """A loaded network.

    ``run`` takes one batch, laid out as the bundle's ``Preprocess`` says, and returns its outputs by name. ``metadata``
    is the model file's custom metadata, ``threads`` how many one run uses, ``device`` what it runs on, in words.
    ``input_shape`` and ``output_shapes`` hold ``None`` for sides that the file leaves open.
    """

    name: str
    device: str
    threads: int
    metadata: Mapping[str, str]
    input_shape: tuple[int | None, ...]
    output_shapes: Mapping[str, tuple[int | None, ...]]

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]: ...

    def close(self) -> None: ...


class StagedRuntime(Runtime, Protocol):
    """A runtime whose ``run`` can be taken step by step: batch in, network, outputs back; each done on its return."""

    def put(self, batch: np.ndarray) -> None: ...

    def execute(self) -> None: ...

    def take(self) -> dict[str, np.ndarray]: ...


def _onnxruntime(path: Path, threads: int | None) -> Runtime:
    from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(path, threads=threads)


def _openvino(path: Path, threads: int | None) -> Runtime:
    from ligera.deploy.runtimes.openvino import OpenVinoRuntime

    return OpenVinoRuntime(path, threads=threads)


def _onnxruntime_sleeping(path: Path, threads: int | None) -> Runtime:
    from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(path, threads=threads, spinning=False)


def _onnxruntime_cuda(path: Path, threads: int | None) -> Runtime:
    from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(path, threads=threads, provider="cuda")


def _tensorrt(path: Path, threads: int | None) -> Runtime:
    from ligera.deploy.runtimes.tensorrt import TensorRtRuntime

    return TensorRtRuntime(path)


RUNTIMES: dict[str, Callable[[Path, int | None], Runtime]] = {
    "onnxruntime": _onnxruntime,
    "onnxruntime-sleeping": _onnxruntime_sleeping,
    "onnxruntime-cuda": _onnxruntime_cuda,
    "openvino": _openvino,
    "tensorrt": _tensorrt,
}
SLEEPING = {"onnxruntime": "onnxruntime-sleeping"}


def for_live(runtime: str) -> str:
    """What to take for ``runtime`` where pictures come slower than it runs: threads that sleep until the next one."""
    return SLEEPING.get(runtime, runtime)


def open_runtime(path: Path, *, runtime: str = "onnxruntime", threads: int | None = None) -> Runtime:
    """The model file at ``path`` loaded into the runtime of that name.

    Raises ``UsageError`` for an unknown runtime, ``ModelError`` for a file that is missing, damaged or made for a
    precision that the runtime does not have, ``MissingExtra`` where the runtime is not installed.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"no runtime is called {runtime!r}{nearest(runtime, RUNTIMES)}; known: {', '.join(RUNTIMES)}")
    return RUNTIMES[runtime](path, threads)
