"""Energy of one detection: counters around turns where there are any, CPU time where there are none."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ligera.deploy.timing.energy import Turns, energy_figure, look
from ligera.meter.estimate import CpuEstimate
from ligera.meter.nvml import Card, CardReading
from ligera.meter.rapl import Zone
from ligera.meter.sources import Sources


class Bench:
    """A machine whose package draws 30 W during turns and 10 W between, its card 200 W and 50 W."""

    def __init__(self, *, package: bool = True, cards: int = 0, counters: bool = True) -> None:
        self.at_s, self.package_j, self.card_j, self.watts = 0.0, 60_000.0, 0.0, 50.0
        self.counters, self.silent = counters, False
        zones = (Zone("package-0", Path("none"), 65_536.0),) if package else ()
        handles = tuple(Card(f"GPU-{i}", "Card", None) for i in range(cards))
        self.sources = Sources(
            clock=SimpleNamespace(monotonic=lambda: self.at_s),  # type: ignore[arg-type]
            processes=SimpleNamespace(),  # type: ignore[arg-type]
            rapl=SimpleNamespace(zones=zones, trouble="no counters", read=self._packages),  # type: ignore[arg-type]
            cards=SimpleNamespace(cards=handles, trouble=None, read=self._cards),  # type: ignore[arg-type]
            estimate=CpuEstimate(2.0, (1.0, 4.0), "CPU seconds x 2 W"),
            host="here",
            processor="Some CPU",
            threads=4,
        )

    def _packages(self) -> dict[str, float | None]:
        return {"package-0": None if self.silent else self.package_j % 65_536.0}

    def _cards(self) -> tuple[CardReading, ...]:
        reading = CardReading(self.watts, self.card_j if self.counters else None, None, None)
        return (reading,) * len(self.sources.cards.cards)

    def run(self, rounds: int, *, on_card: bool = False, turn_s: float = 1.0) -> Turns:
        turns = Turns(on_card=on_card)
        for _ in range(rounds):
            self._pass(1.0, 10.0, 50.0)
            self.watts = 200.0
            before = look(self.sources)
            self._pass(turn_s, 30.0, 200.0)
            turns.add(self.sources, before, look(self.sources), cpu_s=0.5, detections=12)
        return turns

    def _pass(self, seconds: float, package_w: float, card_w: float) -> None:
        self.at_s += seconds
        self.package_j += package_w * seconds
        self.card_j += card_w * seconds

    def figure(self, turns: Turns) -> Any:
        return energy_figure(self.sources, turns, device="cpu", threads=1)


def test_only_turns_count_and_counters_may_wrap() -> None:
    bench = Bench()
    figure = bench.figure(bench.run(200))
    assert bench.package_j > 65_536
    assert figure.value == pytest.approx(1e3 * 30 / 12) and figure.unit == "mJ"
    assert figure.source == "measured" and "whole devices" in figure.note
    assert figure.n == 2400 and figure.spread == pytest.approx((2500, 2500))


def test_without_counters_the_process_s_cpu_time_stands_in() -> None:
    bench = Bench(package=False)
    figure = bench.figure(bench.run(20))
    assert figure.source == "estimated" and figure.value == pytest.approx(1e3 * 0.5 * 2 / 12)
    assert figure.note == "CPU seconds x 2 W; no counters"


@pytest.mark.parametrize("counters", [True, False])
def test_a_network_on_a_card_is_charged_for_the_card(counters: bool) -> None:
    bench = Bench(cards=1, counters=counters)
    assert bench.figure(bench.run(20, on_card=True)).value == pytest.approx(1e3 * (30 + 200) / 12)
    assert bench.figure(bench.run(20, on_card=False)).value == pytest.approx(1e3 * 30 / 12)


def test_turns_too_short_for_a_card_s_counter_are_an_estimate() -> None:
    bench = Bench(cards=1)
    figure = bench.figure(bench.run(20, on_card=True, turn_s=0.03))
    assert figure.source == "estimated" and "short" in figure.note


def test_a_card_that_cannot_be_read_and_a_counter_that_falls_silent_are_unknown() -> None:
    bench = Bench()
    assert bench.figure(bench.run(3, on_card=True)).source == "unknown"
    missing = SimpleNamespace(cards=(), trouble="install it", read=tuple)
    bench.sources = dataclasses.replace(bench.sources, cards=missing)  # type: ignore[arg-type]
    assert bench.figure(bench.run(3, on_card=True)).note == "install it"
    bench.silent = True
    figure = bench.figure(bench.run(3))
    assert figure.value is None and "no reading" in figure.note
    assert bench.figure(Turns(on_card=False)).source == "unknown"
