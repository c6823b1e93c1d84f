"""Benchmarks: figures with provenance, none where the machine was noisy."""

import math
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.timing import noise
from ligera.deploy.timing.bench import BenchReport, bench, overhead_share
from ligera.deploy.timing.noise import NoiseMeter, robust_variation
from ligera.deploy.timing.worker import Job, bench_picture
from ligera.errors import ModelError, UsageError
from ligera.meter.figure import Figure

FIGURES = {
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "network_p50_ms",
    "overhead_share",
    "pictures_per_s",
    "cold_start_ms",
    "peak_mb",
    "energy_mj",
}


@pytest.fixture(scope="module")
def report(bundle: Path) -> BenchReport:
    return bench([str(bundle)], versus="haar", width=96, height=64, runs=20, threads=1, cold_starts=2)


def test_every_figure_says_how_it_came_about(report: BenchReport) -> None:
    ours, haar = report.rows
    assert set(ours.figures) == FIGURES | {"ratio"}
    assert set(haar.figures) == FIGURES
    for name, figure in ours.figures.items():
        assert figure.value is not None and figure.threads == 1 and figure.n >= 1, name
        assert figure.source == "measured" or (name == "energy_mj" and figure.note), name
    assert ours.figures["p50_ms"].n == 20
    assert ours.figures["cold_start_ms"].n == 2
    assert report.processor


def test_figures_are_consistent_with_each_other(report: BenchReport) -> None:
    values = {name: figure.value for name, figure in report.rows[0].figures.items()}
    assert 0 < values["network_p50_ms"] < values["p50_ms"] <= values["p95_ms"] <= values["p99_ms"]
    assert 0 < values["overhead_share"] < 1
    assert values["peak_mb"] > 20


def test_a_detector_without_a_network_has_no_network_time_instead_of_zero(report: BenchReport) -> None:
    haar = report.rows[1].figures
    for name in ("network_p50_ms", "overhead_share"):
        assert haar[name].value is None and haar[name].source == "unknown"


def test_a_report_that_may_not_be_quoted_withholds_its_figures_unless_forced() -> None:
    figure = Figure(1.0, "ms", "measured", "cpu", 1, 5)
    row = type("Row", (), {"model": "a", "runtime": "x", "found": 0, "figures": {"p50_ms": figure}})()
    noisy = BenchReport((row,), None, 64, 64, "synthetic", "cpu", ("other work",))
    assert noisy.as_dict()["models"][0]["figures"] is None
    assert noisy.as_dict()["reasons"] == ["other work"]
    assert noisy.as_dict(force=True)["models"][0]["figures"]["p50_ms"]["value"] == 1.0
    quiet = BenchReport((row,), None, 64, 64, "synthetic", "cpu", ())
    assert quiet.as_dict()["quotable"] is True
    assert quiet.as_dict()["models"][0]["figures"]["p50_ms"]["n"] == 5


def test_a_model_that_is_not_there_ends_the_bench_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        bench([str(tmp_path / "none.onnx")], width=64, height=64, runs=10)


def test_too_few_runs_are_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match="10 runs or more"):
        bench([str(bundle)], runs=3)


def test_the_share_of_overhead_is_taken_run_by_run() -> None:
    assert overhead_share([10, 20], [8, 10]) == pytest.approx([0.2, 0.5])


def test_variation_is_that_of_a_normal_sample_and_robust_to_strays() -> None:
    sample = np.random.default_rng(0).normal(10, 1, 4000)
    assert robust_variation(sample) == pytest.approx(0.1, rel=0.05)
    sample[:100] = 1000
    assert robust_variation(sample) == pytest.approx(0.1, rel=0.1)
    assert math.isinf(robust_variation(np.zeros(3)))


def meter(calibrations: list[float], busy: tuple[float, float] | None, monkeypatch: pytest.MonkeyPatch) -> NoiseMeter:
    """A meter that saw these calibrations while all cores together went from one busy time to the other, in 10 s."""
    clock = iter([0.0, 10.0])
    seconds = iter(busy or (None, None))
    monkeypatch.setattr(noise, "_busy_s", lambda: next(seconds))
    monkeypatch.setattr(noise.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(noise.time, "process_time", lambda: 0.0)
    monkeypatch.setattr(noise.os, "cpu_count", lambda: 4)
    made = NoiseMeter(threads=4)
    made.start()
    made.calibrations_ms += calibrations
    made.add_own(20.0)
    made.stop()
    return made


QUIET = [1.0, 1.01, 1.02, 0.99, 1.0, 1.01]


def test_a_quiet_machine_may_be_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert meter(QUIET, (100.0, 121.0), monkeypatch).reasons() == ()


def test_other_work_is_told_apart_from_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    (reason,) = meter(QUIET, (100.0, 135.0), monkeypatch).reasons()
    assert reason == "other work kept 1.5 of 4 cores busy (at most 0.4)"


def test_a_calibration_loop_that_varies_is_a_reason_where_nothing_else_can_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (reason,) = meter([1.0, 2.0, 1.0, 1.6, 1.0, 2.2], None, monkeypatch).reasons()
    assert "calibration loop varied by" in reason
    assert meter(QUIET, None, monkeypatch).reasons() == ()


def test_too_few_rounds_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    (reason,) = meter(QUIET[:2], None, monkeypatch).reasons()
    assert "too few rounds" in reason


def test_the_picture_is_the_same_each_time_and_of_the_size_asked_for() -> None:
    job = Job("x", 160, 96)
    np.testing.assert_array_equal(bench_picture(job), bench_picture(job))
    assert bench_picture(job).shape == (96, 160, 3) and bench_picture(job).std() > 20
