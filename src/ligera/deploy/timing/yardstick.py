"""How fast is this core just now? A fixed piece of the arithmetic that networks do, timed.

In: nothing. Out: milliseconds, about half of one. Small matrix products, each followed by a ReLU, all within a core's
own cache: of the work that was tried it varies most like networks do. On a shared machine a loop in Python varies twice
as much as they, and a hash hardly at all (``benchmarks/yardstick.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

__all__ = ["Yardstick"]

# Products this small are never split among the threads of a linear algebra library.
SIDE, COLUMNS = 48, 96
PRODUCTS, WARM_UP = 48, 8


class Yardstick:
    """``measure_ms`` does the same arithmetic each time; ``clock`` gives nanoseconds."""

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        random = np.random.default_rng(0)
        self._weights = random.standard_normal((SIDE, SIDE), np.float32) / SIDE
        self._map = random.standard_normal((SIDE, COLUMNS), np.float32)
        self._out = np.empty_like(self._map)
        self._clock = clock

    def measure_ms(self) -> float:
        # What ran before has left the cache full of other things.
        self._work(WARM_UP)
        started = self._clock()
        self._work(PRODUCTS)
        return (self._clock() - started) / 1e6

    def _work(self, products: int) -> None:
        for _ in range(products):
            np.matmul(self._weights, self._map, out=self._out)
            np.maximum(self._out, 0, out=self._out)
