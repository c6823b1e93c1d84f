"""A stand-in for ``cuda.bindings.runtime``: memory of this process behind addresses, work that waits for its stream.

Answers as the real one does, tuples that begin with an error code; signatures are those of ``cuda-bindings`` 13.1.
What a real card would punish silently is an error here: freed or foreign addresses, copies too long, results read
before the stream was waited for.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import Any


class cudaError_t(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorNoDevice = 100


class cudaMemcpyKind(IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


OK = cudaError_t.cudaSuccess


@dataclass
class FakeCuda:
    """``devices`` cards called ``name``; ``memory_bytes`` is all there is."""

    devices: int = 1
    name: bytes = b"Fake Orin"
    major: int = 8
    minor: int = 7
    memory_bytes: int = 1 << 30
    cudaMemcpyKind: Any = cudaMemcpyKind
    allocated: dict[int, Any] = field(default_factory=dict)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    streams: set[int] = field(default_factory=set)

    def cudaGetDeviceCount(self) -> tuple[Any, ...]:
        return (OK, self.devices) if self.devices else (cudaError_t.cudaErrorNoDevice, None)

    def cudaGetDevice(self) -> tuple[Any, ...]:
        return OK, 0

    def cudaGetDeviceProperties(self, device: int) -> tuple[Any, ...]:
        return OK, SimpleNamespace(name=self.name, major=self.major, minor=self.minor)

    def cudaGetErrorString(self, error: cudaError_t) -> tuple[Any, ...]:
        return OK, {0: b"no error", 2: b"out of memory", 100: b"no CUDA-capable device is detected"}[int(error)]

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        if sum(len(block) for block in self.allocated.values()) + size > self.memory_bytes:
            return cudaError_t.cudaErrorMemoryAllocation, None
        block = (ctypes.c_char * size)()
        self.allocated[ctypes.addressof(block)] = block
        return OK, ctypes.addressof(block)

    def cudaFree(self, devPtr: int) -> tuple[Any, ...]:
        del self.allocated[devPtr]
        return (OK,)

    def cudaStreamCreate(self) -> tuple[Any, ...]:
        self.streams.add(len(self.streams) + 1)
        return OK, len(self.streams)

    def cudaStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        self.streams.remove(stream)
        return (OK,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        assert stream in self.streams
        work, self.waiting = self.waiting, []
        for step in work:
            step()
        return (OK,)

    def cudaMemcpyAsync(self, dst: int, src: int, count: int, kind: Any, stream: int) -> tuple[Any, ...]:
        assert stream in self.streams
        inside = dst if kind == cudaMemcpyKind.cudaMemcpyHostToDevice else src
        assert count <= len(self.allocated[inside]), "copies more than was reserved"
        self.waiting.append(lambda: ctypes.memmove(dst, src, count))
        return (OK,)
