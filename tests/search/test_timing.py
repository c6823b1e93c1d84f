"""Timing: what is cut off, what counts as noise, what is too slow to go on with; and how turns become a row."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.runtimes.mock import MockRuntime
from ligera.meter.sources import find_sources
from ligera.search import timing
from ligera.search.device_state import governor, runtime_version, temperature_c
from ligera.search.merging import merged, unframed, unsteady
from ligera.search.table import Settings
from ligera.search.timing import Calibration, TooSlow, Turn, interval, summary, take_turn

TRIMMED, FASTEST = Settings(), Settings(statistic="fastest")


def turn(latency_ms: float, width_ms: float = 0.01, busy: bool = False, energy_mj: float | None = 1.0) -> Turn:
    half = width_ms / 2
    return Turn(latency_ms, latency_ms - half, latency_ms + half, 50, busy, energy_mj, "estimated")


def measured(runtime: MockRuntime, **changes: float) -> Turn | TooSlow:
    settings = Settings(**({"warm_up_runs": 2, "samples": 10} | changes))
    sources = find_sources(())
    try:
        return take_turn(runtime, np.zeros((1, 1)), settings, Calibration(), sources)
    finally:
        sources.close()


def test_a_tenth_is_cut_off_at_each_end() -> None:
    samples = np.array([1000.0, *range(1, 9), -1000.0])
    assert summary(samples, TRIMMED) == 4.5
    assert summary(samples, Settings(trim=0.0)) == 3.6
    assert summary(samples, FASTEST) == -1000


def test_the_interval_holds_the_mean_of_a_steady_sample_and_widens_with_noise() -> None:
    random = np.random.default_rng(0)
    calm, wild = random.normal(10, 0.1, 50), random.normal(10, 2, 50)
    low, high = interval(calm, TRIMMED)
    assert low < 10 < high and high - low < 0.2
    assert np.ptp(interval(wild, TRIMMED)) > 5 * (high - low)


def test_a_turn_counts_its_samples_and_not_its_warm_up() -> None:
    runtime = MockRuntime(lambda batch: {})
    outcome = measured(runtime)
    assert isinstance(outcome, Turn) and outcome.n == 10 and len(runtime.batches) == 12
    assert outcome.low_ms <= outcome.latency_ms <= outcome.high_ms


def test_slow_networks_are_left_after_five_samples_and_very_slow_ones_after_one_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed_ns = 0

    def slow(batch: np.ndarray) -> dict:
        nonlocal passed_ns
        passed_ns += 10_000_000
        return {}

    monkeypatch.setattr(timing, "clock_of", lambda settings: lambda: passed_ns)
    runtime = MockRuntime(slow)
    outcome = measured(runtime, threshold_ms=5.0)
    assert isinstance(outcome, TooSlow) and "first samples took" in outcome.reason and len(runtime.batches) == 7
    runtime = MockRuntime(slow)
    outcome = measured(runtime, threshold_ms=1.0)
    assert isinstance(outcome, TooSlow) and "very first run" in outcome.reason and len(runtime.batches) == 1


def test_a_processor_slower_than_at_its_best_is_noticed() -> None:
    calibration = Calibration()
    calibration.times_ms = [1.0, 1.2]
    assert not calibration.slow(1.25) and calibration.slow(1.4)


AWAY = """
import time, numpy as np
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.meter.sources import find_sources
from ligera.search.table import Settings
from ligera.search.timing import Calibration, take_turn

class Steady(Calibration):
    def slow(self, milliseconds):
        return False

def away(batch):
    time.sleep(0.02)
    return {}

for clock in ("wall", "cpu"):
    settings = Settings(warm_up_runs=1, samples=10, clock=clock)
    runtime = MockRuntime(away)
    runtime.device = "cpu"
    print(take_turn(runtime, np.zeros((1, 1)), settings, Steady(), find_sources(())).busy)
"""


def test_a_process_that_was_away_is_busy_by_the_clock_on_the_wall_only() -> None:
    # a process of its own: threads that other tests left behind would count as work done
    done = subprocess.run([sys.executable, "-c", AWAY], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_turns_that_were_busy_do_not_count_beside_ones_that_were_not() -> None:
    assert merged([turn(5, busy=True), turn(2), turn(3), turn(4)], TRIMMED).latency_ms == 3
    assert merged([turn(5, busy=True), turn(2), turn(3)], TRIMMED).latency_ms == 2
    alone = merged([turn(5, busy=True), turn(7, busy=True)], TRIMMED)
    assert alone.busy and alone.latency_ms == 5 and alone.n == 100


def test_what_is_wide_busy_or_at_odds_is_measured_again() -> None:
    settings = Settings()
    assert not unsteady([turn(1.0), turn(1.01), turn(0.99)], settings)
    assert unsteady([turn(1.0, width_ms=0.2)], settings)
    assert unsteady([turn(1.0, busy=True)], settings)
    assert unsteady([turn(1.0), turn(1.2), turn(0.8)], settings)
    assert not unsteady([turn(0.001, width_ms=0.004)], settings)


def test_the_fastest_turn_counts_even_if_it_was_busy_and_the_next_says_how_sure_that_is() -> None:
    one = merged([turn(5), turn(2, busy=True), turn(2.5)], FASTEST)
    assert (one.latency_ms, one.low_ms, one.high_ms, one.n, one.busy) == (2, 1.5, 2.5, 150, False)
    assert merged([turn(2, width_ms=0.2)], FASTEST).high_ms == pytest.approx(2.1)
    assert unsteady([turn(5), turn(2), turn(2.5)], FASTEST)
    assert not unsteady([turn(5), turn(2, busy=True), turn(2.04)], FASTEST)
    assert not unsteady([turn(2), turn(9), turn(2.01), turn(7), turn(8)], FASTEST), "noise above does not matter"


def test_fixed_work_is_measured_alike_beside_noise_by_its_fastest_run() -> None:
    random = np.random.default_rng(0)
    quiet = 3 + random.exponential(0.05, (6, 50))
    loud = quiet * random.uniform(1, 1.8, (6, 1)) + random.exponential(0.8, (6, 50))
    turns = [
        [Turn(summary(row, settings), *interval(row, settings), 50, False) for row in rows]
        for settings in (FASTEST, TRIMMED)
        for rows in (quiet, loud)
    ]
    fast = merged(turns[1], FASTEST).latency_ms / merged(turns[0], FASTEST).latency_ms
    mean = merged(turns[3], TRIMMED).latency_ms / merged(turns[2], TRIMMED).latency_ms
    assert fast - 1 < 0.3 * (mean - 1)


def test_a_row_is_the_graph_without_its_frame() -> None:
    cost = {"macs": 5, "activations": 4, "parameters": 3, "memory_bytes": 2}
    made = unframed([turn(1.0, 0.06, energy_mj=5.0)], [turn(0.25, 0.08, energy_mj=2.0)], cost, Settings(rounds=1))
    assert made.latency_ms == 0.75 and made.frame_ms == 0.25 and made.macs == 5
    assert (made.low_ms, made.high_ms) == pytest.approx((0.7, 0.8))
    assert made.energy_mj == 3.0 and made.energy_source == "estimated"
    assert unframed([turn(1.0)], [], cost, Settings()).latency_ms == 1.0
    nothing = unframed([turn(0.1)], [turn(0.2)], cost, Settings())
    assert nothing.latency_ms == nothing.low_ms == 0
    unknown = unframed([turn(1.0, energy_mj=None)], [turn(0.2)], cost, Settings())
    assert unknown.energy_mj is None and unknown.energy_source == "unknown"


def test_governor_and_temperature_are_read_where_they_stand_and_none_elsewhere(tmp_path: Path) -> None:
    assert governor(tmp_path) is None and temperature_c(tmp_path) is None
    frequency = tmp_path / "devices/system/cpu/cpu0/cpufreq"
    frequency.mkdir(parents=True)
    (frequency / "scaling_governor").write_text("performance\n")
    for number, text in enumerate(("41500\n", "52000\n", "nonsense", "9999999\n")):
        zone = tmp_path / f"class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(text)
    assert governor(tmp_path) == "performance" and temperature_c(tmp_path) == 52.0
    assert runtime_version("no-such-runtime") == "unknown" and runtime_version("onnxruntime")[0].isdigit()
