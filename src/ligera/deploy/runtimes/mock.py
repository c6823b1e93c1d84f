"""A runtime without a network, for tests: outputs come from a function, batches are remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

__all__ = ["MockRuntime"]


class MockRuntime:
    """Answers each batch with ``answer(batch)`` and keeps the batches it saw in ``batches``."""

    name = "mock"
    device = "none"
    threads = 1
    input_shape: tuple[int | None, ...] = (None, 3, None, None)
    output_shapes: Mapping[str, tuple[int | None, ...]] = MappingProxyType({})

    def __init__(
        self, answer: Callable[[np.ndarray], dict[str, np.ndarray]], metadata: Mapping[str, str] | None = None
    ) -> None:
        self.answer = answer
        self.metadata = metadata or {}
        self.batches: list[np.ndarray] = []
        self.closed = False

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        if self.closed:
            raise RuntimeError("this runtime was closed")
        self.batches.append(batch)
        return self.answer(batch)

    def close(self) -> None:
        self.closed = True
