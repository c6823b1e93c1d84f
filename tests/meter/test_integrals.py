"""Energy from readings: the truth of a trace is met within a bound that is known beforehand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.meter.integrals import LONGEST_GAP_S, CounterIntegral, PowerIntegral, Stretch

from .machine import Trace

STEEPEST_W_PER_S = 50.0


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Power from 0 to 700 W that changes by at most 50 W a second."""
    gaps_s = draw(st.lists(st.floats(0.1, 5.0), min_size=1, max_size=12))
    times_s, watts = [0.0], [draw(st.floats(0, 700))]
    for gap_s in gaps_s:
        most = STEEPEST_W_PER_S * gap_s
        times_s.append(times_s[-1] + gap_s)
        watts.append(min(700.0, max(0.0, watts[-1] + draw(st.floats(-most, most)))))
    return Trace(times_s, watts)


gaps = st.lists(st.floats(0.01, 4.0), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(trace=traces(), gaps_s=gaps)
def test_integrated_power_is_within_its_bound_of_the_truth(trace: Trace, gaps_s: list[float]) -> None:
    integral, at_s, energy_j, seconds = PowerIntegral(), 0.0, 0.0, 0.0
    assert integral.add(at_s, trace.at(at_s)) is None
    for gap_s in gaps_s:
        at_s += gap_s
        stretch = integral.add(at_s, trace.at(at_s))
        assert stretch is not None
        energy_j += stretch.joules
        seconds += stretch.seconds
    assert seconds == pytest.approx(at_s)
    bound = STEEPEST_W_PER_S * sum(gap_s**2 for gap_s in gaps_s) / 4
    assert abs(energy_j - trace.joules(0.0, at_s)) <= bound + 1e-6


@settings(max_examples=60, deadline=None)
@given(trace=traces(), gaps_s=gaps, range_j=st.floats(5_000, 20_000), start=st.floats(0, 1))
def test_a_counter_that_wraps_loses_nothing(trace: Trace, gaps_s: list[float], range_j: float, start: float) -> None:
    counter, at_s, energy_j = CounterIntegral(range_j), 0.0, 0.0

    def counted(at_s: float) -> float:
        return (start * range_j * 0.999 + trace.joules(0.0, at_s)) % range_j

    counter.add(0.0, counted(0.0))
    for gap_s in gaps_s:
        at_s += gap_s
        stretch = counter.add(at_s, counted(at_s))
        assert stretch is not None
        energy_j += stretch.joules
    assert energy_j == pytest.approx(trace.joules(0.0, at_s), abs=1e-5)


def test_a_gap_in_which_a_counter_may_have_gone_round_twice_is_unknown() -> None:
    counter = CounterIntegral(range_j=60_000.0)
    counter.add(0.0, 100.0)
    assert counter.add(61.0, 200.0) is None
    assert counter.add(62.0, 350.0) == Stretch(1.0, 150.0)


def test_a_counter_that_never_wraps_and_falls_was_started_anew() -> None:
    counter = CounterIntegral()
    counter.add(0.0, 9000.0)
    assert counter.add(1.0, 10.0) is None
    assert counter.add(3.0, 30.0) == Stretch(2.0, 20.0)


def test_a_reading_that_failed_is_reached_over() -> None:
    counter, power = CounterIntegral(), PowerIntegral()
    for integral, first, last in ((counter, 0.0, 300.0), (power, 100.0, 100.0)):
        integral.add(0.0, first)
        assert integral.add(1.0, None) is None
        assert integral.add(3.0, last) == Stretch(3.0, 300.0)


def test_power_is_not_guessed_over_a_long_gap_and_a_counter_need_not_guess() -> None:
    counter, power = CounterIntegral(), PowerIntegral()
    for integral in (counter, power):
        integral.add(0.0, 100.0)
    assert power.add(LONGEST_GAP_S + 1, 100.0) is None
    assert counter.add(LONGEST_GAP_S + 1, 500.0) == Stretch(LONGEST_GAP_S + 1, 400.0)
