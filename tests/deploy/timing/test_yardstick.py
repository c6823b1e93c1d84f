"""A fixed piece of arithmetic tells how fast a core is."""

import numpy as np
import pytest

from ligera.deploy.timing import yardstick
from ligera.deploy.timing.yardstick import Yardstick


def test_it_says_what_the_clock_says() -> None:
    ticks = iter([1_000_000, 3_500_000])
    assert Yardstick(lambda: next(ticks)).measure_ms() == 2.5


def test_it_does_the_same_products_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    products = []
    monkeypatch.setattr(yardstick.np, "matmul", lambda a, b, out: products.append((a.shape, b.shape)))
    Yardstick().measure_ms()
    assert products == [((48, 48), (48, 96))] * (yardstick.WARM_UP + yardstick.PRODUCTS)


def test_a_product_is_too_small_to_be_split_among_threads() -> None:
    # OpenBLAS splits from 2**18 multiplications on
    assert yardstick.SIDE**2 * yardstick.COLUMNS < 2**18
    assert np.isfinite(Yardstick().measure_ms())
