"""What a leg used, against the truth of the traces that a machine plays back."""

import errno
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.meter import Cost
from ligera.meter.tally import STILL_S

from .machine import Machine, PlayedCard, PlayedPackage, Trace, level, metered
from .test_integrals import STEEPEST_W_PER_S, traces

Play = Callable[..., Machine]
KWH = 3.6e6


def joules(cost: Cost, device: str) -> float:
    value = cost.devices[device]["energy_kwh"].value
    assert value is not None
    return value * KWH


@settings(max_examples=30, deadline=None)
@given(trace=traces(), gaps_s=st.lists(st.floats(0.01, 4.0), min_size=1, max_size=30), counter=st.booleans())
def test_the_energy_of_a_card_is_that_of_its_trace(
    trace: Trace, gaps_s: list[float], counter: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    card = PlayedCard(trace, counter_scale=1.0 if counter else None)
    machine = Machine(tmp_path_factory.getbasetemp() / "none", cards=[card])
    cost = metered(machine, gaps_s)
    figure = cost.devices["Played Card"]["energy_kwh"]
    bound_j = 0.002 if counter else STEEPEST_W_PER_S * sum(gap_s**2 for gap_s in gaps_s) / 4 + 0.001 * sum(gaps_s)
    truth_j = trace.joules(0.0, machine.clock.at_s)
    if figure.source == "unknown":
        # hardware that says 0 for so long says nothing
        assert truth_j <= bound_j + 1e-6 and machine.clock.at_s >= STILL_S
        return
    assert figure.source == "measured" and figure.value is not None
    assert abs(figure.value * KWH - truth_j) <= bound_j + 1e-6
    assert ("energy counter" if counter else "power, integrated") in figure.note


def test_the_energy_of_packages_survives_their_wrapping(play: Play) -> None:
    trace = Trace([0, 100, 200, 400], [40, 300, 120, 200])
    wrapping = partial(PlayedPackage, trace=trace, range_j=9000.0)
    machine = play(
        packages=[wrapping, partial(PlayedPackage, trace=level(50.0), folder="intel-rapl:1", name="package-1")]
    )
    cost = metered(machine, [1.0, 5.0, 2.5] * 40)
    assert joules(cost, "Played CPU, package-0") == pytest.approx(trace.joules(0, 340), abs=1e-3)
    assert joules(cost, "Played CPU, package-1") == pytest.approx(50 * 340, abs=1e-3)
    energy = cost.figures["energy_kwh"]
    assert energy.source == "measured" and energy.value == pytest.approx((trace.joules(0, 340) + 17_000) / KWH)


def test_without_counters_the_processor_is_estimated_and_says_so(play: Play) -> None:
    machine = play()
    machine.processes.busy_cores = 1.5
    energy = metered(machine, [1.0] * 20).figures["energy_kwh"]
    assert energy.source == "estimated"
    assert energy.value == pytest.approx(1.5 * 20 * 2.0 / KWH)
    assert energy.spread == pytest.approx((1.5 * 20 * 1.0 / KWH, 1.5 * 20 * 4.0 / KWH))
    assert "CPU seconds x 2.00 W" in energy.note and "no RAPL counters" in energy.note


def test_counters_that_may_not_be_read_are_estimated_with_the_reason(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_text

    def forbidden(path: Path, **options: str) -> str:
        if path.name == "energy_uj":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path, **options)

    machine = play(packages=[partial(PlayedPackage, trace=level(80.0))])
    monkeypatch.setattr(Path, "read_text", forbidden)
    energy = metered(machine, [1.0] * 3).figures["energy_kwh"]
    assert energy.source == "estimated" and "only be read by root" in energy.note


def test_a_card_that_drops_out_has_at_least_what_was_seen(play: Play) -> None:
    machine = play(cards=[PlayedCard(level(300.0), lost_at_s=60.5)])
    cost = metered(machine, [1.0] * 100)
    figure = cost.devices["Played Card"]["energy_kwh"]
    assert figure.source == "estimated" and figure.value == pytest.approx(300 * 60 / KWH)
    assert "Played Card: seen for 60 s of 100 s, so its energy is at least what is said" in cost.flags
    assert cost.figures["energy_kwh"].source == "estimated"


def test_a_card_that_is_silent_for_a_while_is_missed_by_nothing(play: Play) -> None:
    machine = play(cards=[PlayedCard(Trace([0, 30, 60], [100, 400, 100]), failing_s=(20, 40))])
    cost = metered(machine, [1.0] * 60)
    assert joules(cost, "Played Card") == pytest.approx(250 * 60, abs=0.01)
    assert cost.devices["Played Card"]["energy_kwh"].source == "measured"


def test_ways_that_differ_by_over_five_percent_are_flagged_in_the_record(play: Play, tmp_path: Path) -> None:
    machine = play(cards=[PlayedCard(level(200.0), counter_scale=0.9)])
    cost = metered(machine, [1.0] * 30, tmp_path / "cost.json")
    expected = "Played Card: energy counter (180.0 W on average) and integrated power (200.0 W) differ by 10%"
    assert expected in cost.flags
    assert expected in json.loads((tmp_path / "cost.json").read_text())["legs"][0]["notes"]
    agreeing = metered(play(cards=[PlayedCard(level(200.0), counter_scale=0.96)]), [1.0] * 30)
    assert not agreeing.flags


def test_a_counter_that_stands_still_gives_way_to_power(play: Play) -> None:
    machine = play(cards=[PlayedCard(level(200.0), counter_scale=0.0)])
    assert joules(metered(machine, [1.0] * 30), "Played Card") == pytest.approx(6000)


def test_a_card_that_tells_of_no_power_leaves_the_energy_unknown(play: Play) -> None:
    machine = play(cards=[PlayedCard(level(200.0), counter_scale=None, has_power=False)])
    cost = metered(machine, [1.0] * 30)
    for name in ("energy_kwh", "euros", "co2_g"):
        assert cost.figures[name].value is None and cost.figures[name].source == "unknown"
    device = cost.devices["Played Card"]
    assert device["energy_kwh"].source == device["power_mean_w"].source == "unknown"
    assert device["memory_peak_mb"].value == 4000.0


def test_memory_and_utilisation_are_means_over_time(play: Play) -> None:
    card = PlayedCard(
        level(100.0),
        memory_mb=lambda at_s: 9000.0 if 29 < at_s < 31 else 1000.0,
        utilisation=lambda at_s: 100.0 if at_s <= 30 else 0.0,
    )
    figures = metered(play(cards=[card]), [10.0, 20.0, 30.0]).devices["Played Card"]
    assert figures["memory_peak_mb"].value == 9000.0
    assert figures["memory_mean_mb"].value == pytest.approx((10 * 1000 + 20 * 9000 + 30 * 1000) / 60)
    assert figures["utilisation_mean"].value == pytest.approx(0.5)


def test_the_paper_s_base_run_costs_what_the_paper_says(play: Play) -> None:
    """Two cards of 177 W for 10 h 48 min: 3.823 kWh, 94 cents (paper B, section 3.4.6)."""
    cards = [PlayedCard(level(177.0), f"GPU-{i}") for i in range(2)]
    cost = metered(play(cards=cards), [60.0] * 648)
    assert cost.figures["wall_s"].value == pytest.approx(10.8 * 3600)
    used = [figures["energy_kwh"].value for name, figures in cost.devices.items() if "Card" in name]
    assert sum(kwh for kwh in used if kwh is not None) == pytest.approx(3.823, abs=0.0005)
    assert sorted(cost.devices)[-2:] == ["Played Card [GPU-0]", "Played Card [GPU-1]"]
