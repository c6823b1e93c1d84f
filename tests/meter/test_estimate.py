"""What stands in for a counter says so, with the range it may be wrong by."""

import pytest

from ligera.meter.estimate import TDP, estimate_for


@pytest.mark.parametrize(
    ("processor", "watts"),
    [
        ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", 65 / 12),
        ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 95 / 12),
        ("12th Gen Intel(R) Core(TM) i7-12700K", 125 / 20),
        ("Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", 150 / 40),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 120 / 28),
        ("Intel(R) Xeon(R) Platinum 8480+", 350 / 112),
        ("AMD EPYC 7763 64-Core Processor", 280 / 128),
        ("AMD Ryzen 9 5950X 16-Core Processor", 105 / 32),
        ("Raspberry Pi 4 Model B Rev 1.4", 3 / 4),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", 2.5 / 4),
    ],
)
def test_a_known_model_has_its_share_of_its_design_power(processor: str, watts: float) -> None:
    estimate = estimate_for(processor)
    assert estimate.watts_per_thread == pytest.approx(watts)
    assert estimate.range_w is None and "share of one of" in estimate.how


@pytest.mark.parametrize("processor", ["AMD EPYC", "Intel(R) Xeon(R) Processor", "AMD Ryzen 7 9999X", "unknown", ""])
def test_an_unknown_model_has_the_median_of_its_kind_and_a_range(processor: str) -> None:
    estimate = estimate_for(processor)
    assert estimate.range_w is not None
    low, high = estimate.range_w
    assert 1 < low < estimate.watts_per_thread < high < 15
    assert "is not known" in estimate.how and "median of" in estimate.how


def test_a_small_board_is_not_taken_for_a_server() -> None:
    assert estimate_for("Raspberry Pi Zero 2 W Rev 1.0").watts_per_thread < 1.1


def test_every_entry_of_the_table_is_plausible() -> None:
    assert all(0.4 < watts / threads < 13 for watts, threads in TDP.values())
