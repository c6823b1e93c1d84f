"""NVIDIA's CUDA runtime, as much of it as a network's inputs and outputs need: a device, a stream, buffers.

In: numpy arrays. Out: addresses on the device, and arrays back. Names and signatures are those of ``cuda.bindings``
(https://nvidia.github.io/cuda-python/cuda-bindings/latest/module/runtime.html): each call returns a tuple whose first
entry is an error code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ligera.errors import LigeraError, MissingExtra, ModelError

__all__ = ["CudaDevice", "CudaMemory", "NoDevice", "find_device", "load_cuda"]


class NoDevice(MissingExtra):
    """A device that this machine lacks; no package would bring it."""

    def __init__(self, text: str) -> None:
        LigeraError.__init__(self, text)


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """The card that is used: CUDA's number for it, its name and compute capability."""

    index: int
    name: str
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.major}.{self.minor}"


def load_cuda() -> Any:
    """The module ``cuda.bindings.runtime``; ``MissingExtra`` without it."""
    try:
        from cuda.bindings import runtime
    except ImportError:
        raise MissingExtra("cuda-bindings", "tensorrt", "the runtime tensorrt") from None
    return runtime


def find_device(cuda: Any) -> CudaDevice:
    """The current device; ``NoDevice`` where there is none or its driver is too old."""
    error, count = cuda.cudaGetDeviceCount()
    if int(error) or not count:
        raise NoDevice(f"no NVIDIA card can be used here ({_words(cuda, error)}); try --runtime onnxruntime")
    index = _call(cuda, cuda.cudaGetDevice())
    facts = _call(cuda, cuda.cudaGetDeviceProperties(index))
    name = facts.name.decode(errors="replace") if isinstance(facts.name, bytes) else str(facts.name)
    return CudaDevice(index, name.rstrip("\0"), int(facts.major), int(facts.minor))


class CudaMemory:
    """One stream and one buffer for each name, which grows when more is asked for and never shrinks."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda
        self._buffers: dict[str, tuple[int, int]] = {}
        self._stream = _call(cuda, cuda.cudaStreamCreate())

    @property
    def stream(self) -> int:
        return int(self._stream)

    def reserve(self, name: str, size_bytes: int) -> int:
        """The address of a buffer of at least ``size_bytes``; ``ModelError`` where the card's memory is full."""
        address, capacity = self._buffers.get(name, (0, -1))
        if capacity < size_bytes:
            if address:
                del self._buffers[name]
                _call(self._cuda, self._cuda.cudaFree(address))
            address = int(_call(self._cuda, self._cuda.cudaMalloc(max(size_bytes, 1))))
            self._buffers[name] = address, size_bytes
        return address

    def copy_in(self, name: str, values: np.ndarray) -> int:
        """Put contiguous ``values`` into the buffer of that name; its address. Done once the stream is."""
        address = self.reserve(name, values.nbytes)
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        _call(self._cuda, self._cuda.cudaMemcpyAsync(address, values.ctypes.data, values.nbytes, kind, self._stream))
        return address

    def copy_out(self, name: str, into: np.ndarray) -> None:
        """Fill contiguous ``into`` from the buffer of that name. Done once the stream is."""
        address, _ = self._buffers[name]
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _call(self._cuda, self._cuda.cudaMemcpyAsync(into.ctypes.data, address, into.nbytes, kind, self._stream))

    def wait(self) -> None:
        """Until all that was asked of the stream is done."""
        _call(self._cuda, self._cuda.cudaStreamSynchronize(self._stream))

    def close(self) -> None:
        """Free everything."""
        for address, _ in self._buffers.values():
            _call(self._cuda, self._cuda.cudaFree(address))
        self._buffers.clear()
        if self._stream is not None:
            _call(self._cuda, self._cuda.cudaStreamDestroy(self._stream))
            self._stream = None


def _call(cuda: Any, answer: tuple[Any, ...]) -> Any:
    """What a call of CUDA returned beside its error code; ``ModelError`` for an error."""
    error, *values = answer
    if int(error):
        raise ModelError(f"the NVIDIA card could not do it ({_words(cuda, error)}); close what else uses it, or retry")
    return values[0] if values else None


def _words(cuda: Any, error: Any) -> str:
    _, text = cuda.cudaGetErrorString(error)
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)
