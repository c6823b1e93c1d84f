"""A number that says where it comes from."""

import numpy as np
import pytest

from ligera.meter.figure import Figure, quantile_figure, ratio_figure, weakest


def test_a_figure_cannot_pretend_to_be_known() -> None:
    with pytest.raises(ValueError, match="unknown exactly where"):
        Figure(None, "ms", "measured", "cpu", 1, 3)
    with pytest.raises(ValueError, match="unknown exactly where"):
        Figure(1.0, "ms", "unknown", "cpu", 1, 3)


def test_a_quantile_and_its_interval_come_from_the_rounds() -> None:
    rounds = [[float(v) for v in range(k, k + 10)] for k in range(20)]
    figure = quantile_figure(rounds, 0.5, unit="ms", device="cpu", threads=2)
    assert figure.value == pytest.approx(np.median(np.concatenate(rounds)))
    assert figure.n == 200 and figure.spread is not None
    assert figure.spread[0] < figure.value < figure.spread[1]
    assert quantile_figure([], 0.5, unit="ms", device="cpu", threads=2).source == "unknown"


def test_a_ratio_weighs_rounds_by_what_they_held() -> None:
    figure = ratio_figure([10.0, 100.0], [10, 10], unit="mJ", device="cpu", threads=1)
    assert figure.value == pytest.approx(5.5) and figure.n == 20
    assert figure.spread is not None and 1.0 <= figure.spread[0] < 5.5 < figure.spread[1] <= 10.0
    assert ratio_figure([30.0, 0.0], [1, 99], unit="mJ", device="cpu", threads=1).value == pytest.approx(0.3)
    assert ratio_figure([], [], unit="mJ", device="cpu", threads=1).source == "unknown"


def test_a_figure_made_from_others_is_worth_the_least_of_them() -> None:
    assert weakest(["measured", "estimated", "measured"]) == "estimated"
    assert weakest(["unknown", "estimated"]) == "unknown"
    assert weakest(["measured"]) == "measured"
    assert weakest([]) == "unknown"
