"""What this machine has, and in words which of its power can be known."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ligera.meter.sources import find_sources, power_sources

from .machine import Machine, PlayedCard, PlayedClock, PlayedNvml, PlayedPackage, level

Play = Callable[..., Machine]


def test_a_machine_with_counters_needs_no_estimate(play: Play) -> None:
    machine = play(cards=[PlayedCard(level(100.0))], packages=[partial(PlayedPackage, trace=level(50.0))])
    rapl, nvml = power_sources(machine.sources())
    assert rapl.works and rapl.detail == "package-0"
    assert nvml.works and nvml.detail == "Played Card (energy counter and power)"


def test_a_machine_without_says_what_stands_in_and_why(play: Play) -> None:
    card = PlayedCard(level(100.0), counter_scale=None, has_power=False)
    rapl, estimate, nvml = power_sources(play(cards=[card]).sources())
    assert not rapl.works and "no RAPL counters" in rapl.detail
    assert estimate.works and "CPU seconds x 2.00 W" in estimate.detail
    assert not nvml.works and "gives no power" in nvml.detail


def test_this_machine_is_found_and_given_back(tmp_path: Path) -> None:
    nvml = PlayedNvml(PlayedClock(), [PlayedCard(level(100.0))])
    sources = find_sources(["GPU-aaaa-0001"], rapl_root=tmp_path, nvml=nvml)
    assert [card.name for card in sources.cards.cards] == ["Played Card"]
    assert sources.processor and sources.host and sources.threads >= 1
    assert sources.processes.read().cpu_s >= 0
    sources.close()
    assert nvml.opened == 0
    assert find_sources((), rapl_root=tmp_path, nvml=nvml).cards.cards == ()
