"""The meter around a run, on a machine that plays back traces: phases, prices, failures, kills and resumptions."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta, timezone
from functools import partial
from pathlib import Path

import pytest

from ligera.errors import DataError, UsageError
from ligera.meter import Meter, read_cost, session
from ligera.meter.record import cost_path

from .machine import Machine, PlayedCard, PlayedPackage, Trace, level, metered

Play = Callable[..., Machine]
KWH = 3.6e6


def test_phases_nest_and_repeat_and_each_has_what_runs_in_it_alone(play: Play) -> None:
    machine = play(cards=[PlayedCard(Trace([0, 10, 10.001, 14, 14.001, 99], [100, 100, 40, 40, 100, 100]))])
    with Meter(sources=machine.sources(), background=False) as meter:
        machine.advance(1.0)
        with meter.phase("train"):
            machine.advance(9.0)
            with meter.phase("evaluate"):
                machine.advance(4.0)
            machine.advance(6.0)
        with meter.phase("train"):
            machine.advance(5.0)
    phases = meter.cost().phases
    assert {name: figures["wall_s"].value for name, figures in phases.items()} == pytest.approx(
        {"train": 20.0, "evaluate": 4.0, "other": 1.0}
    )
    assert {name: figures["cpu_s"].value for name, figures in phases.items()} == pytest.approx(
        {"train": 20.0, "evaluate": 4.0, "other": 1.0}
    )
    assert phases["train"]["wall_s"].n == 2 and phases["evaluate"]["wall_s"].n == 1
    evaluating = phases["evaluate"]["energy_kwh"].value
    assert evaluating == pytest.approx((4 * 40 + 4 * 2.0) / KWH, rel=0.001)
    total = meter.cost().figures["energy_kwh"].value
    assert sum(figures["energy_kwh"].value or 0 for figures in phases.values()) == pytest.approx(total)


def test_phases_that_alternate_fast_share_a_sample_by_time_and_take_no_more(play: Play) -> None:
    machine = play()
    with Meter(sources=machine.sources(), background=False) as meter:
        for _ in range(100):
            with meter.phase("train"):
                machine.advance(0.03)
            with meter.phase("select"):
                machine.advance(0.01)
    cost = meter.cost()
    assert cost.phases["train"]["wall_s"].value == pytest.approx(3.0)
    assert cost.phases["select"]["cpu_s"].value == pytest.approx(1.0, rel=0.05)
    assert cost.figures["wall_s"].n <= 2 * 4 + 2


def test_a_phase_ends_with_the_error_that_leaves_it(play: Play) -> None:
    machine = play()
    with Meter(sources=machine.sources(), background=False) as meter:
        with pytest.raises(ZeroDivisionError), meter.phase("train"):
            machine.advance(2.0)
            raise ZeroDivisionError
        machine.advance(3.0)
    assert meter.cost().phases["other"]["wall_s"].value == pytest.approx(3.0)


def test_euros_are_those_of_the_hour_in_which_energy_was_used(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "WRITE_EVERY_S", 600.0)
    tariff = tmp_path / "tariff.json"
    tariff.write_text('{"default": 0.3, "hours": {"22-8": 0.1}}')
    # the trace starts at 10:00 UTC, which is 21:00 eleven hours to the east
    machine = play(cards=[PlayedCard(level(1000.0))], zone=timezone(timedelta(hours=11)))
    machine.processes.busy_cores = 0.0
    cost = metered(machine, [50.0] * 144, tmp_path / "cost.json", tariff=tariff)
    assert cost.figures["energy_kwh"].value == pytest.approx(2.0)
    assert cost.figures["euros"].value == pytest.approx(1.0 * 0.3 + 1.0 * 0.1, rel=1e-6)
    again = read_cost(tmp_path)
    assert again.figures["euros"].value == cost.figures["euros"].value
    assert "by hour of day (local time of the run)" in again.figures["euros"].note
    assert read_cost(tmp_path, tariff=0.25).figures["euros"].value == pytest.approx(0.5)


def test_co2_is_an_estimate_with_its_factor(play: Play) -> None:
    machine = play(packages=[partial(PlayedPackage, trace=level(100.0))])
    cost = metered(machine, [1.0] * 36, co2_g_per_kwh=500.0)
    assert cost.figures["co2_g"].value == pytest.approx(0.5)
    assert cost.figures["co2_g"].source == "estimated" and "x 500 g CO2e/kWh" in cost.figures["co2_g"].note


def test_a_resumed_run_adds_a_leg_and_one_that_was_killed_counts_up_to_its_last_write(
    play: Play, tmp_path: Path
) -> None:
    machine, path = play(), tmp_path / "cost.json"
    killed = Meter(path, sources=machine.sources(), background=False)
    killed.__enter__()
    for _ in range(25):
        machine.advance(1.0)
        killed.sample()
    assert read_cost(tmp_path).figures["wall_s"].value == pytest.approx(20.0)
    assert read_cost(tmp_path).state == "unfinished"
    machine.advance(3600.0)
    cost = metered(machine, [1.0] * 7, path)
    assert read_cost(tmp_path).as_dict() | {"run": ""} == cost.as_dict() | {"run": ""}
    assert (cost.legs, cost.state) == (2, "done")
    assert cost.figures["wall_s"].value == pytest.approx(27.0)
    assert cost.figures["cpu_s"].value == pytest.approx(27.0)
    assert any("has no end (killed, or still running); it counts up to 2026-03-02 10:00:20" in f for f in cost.flags)


def test_a_process_that_is_killed_leaves_a_record(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom ligera.meter import Meter\n"
        "with Meter(Path(sys.argv[1]) / 'cost.json'):\n    print('metering', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "metering\n"
        process.send_signal(signal.SIGKILL)
    cost = read_cost(tmp_path)
    assert (cost.state, cost.legs) == ("unfinished", 1)
    assert cost.figures["wall_s"].value is not None


def test_an_error_in_the_run_goes_its_way_and_the_cost_so_far_is_kept(play: Play, tmp_path: Path) -> None:
    machine = play()
    with (
        pytest.raises(KeyboardInterrupt),
        Meter(tmp_path / "cost.json", sources=machine.sources(), background=False),
    ):
        machine.advance(4.0)
        raise KeyboardInterrupt
    cost = read_cost(tmp_path)
    assert cost.state == "stopped" and "a leg was stopped by KeyboardInterrupt" in cost.flags
    assert cost.figures["wall_s"].value == pytest.approx(4.0)


def test_a_forked_child_that_leaves_the_block_writes_nothing(play: Play, tmp_path: Path) -> None:
    machine, path = play(), tmp_path / "cost.json"
    with Meter(path, sources=machine.sources(), background=False) as meter:
        before = path.read_bytes()
        machine.advance(1.0)
        meter._pid = os.getppid()
        meter.__exit__(None, None, None)
        assert path.read_bytes() == before
        meter._pid = os.getpid()


def test_cards_are_opened_as_chosen_and_given_back(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, chosen = play(cards=[PlayedCard(level(1.0))]), []

    def find(gpus: object) -> object:
        chosen.append(gpus)
        return machine.sources()

    monkeypatch.setattr(session, "find_sources", find)
    with Meter(gpus=["GPU-aaaa"], background=False):
        assert machine.nvml.opened == 1
    assert chosen == [["GPU-aaaa"]] and machine.nvml.opened == 0


def test_the_thread_samples_by_itself_and_ends_with_the_block(play: Play) -> None:
    machine, enough, reads = play(), threading.Event(), iter(range(10**6))
    machine.processes.after_read = lambda: enough.set() if next(reads) == 5 else None
    with Meter(sources=machine.sources(), interval_s=0.001) as meter:
        assert enough.wait(10)
    assert meter._thread is not None and not meter._thread.is_alive()
    assert (meter.cost().figures["wall_s"].n) >= 5


def test_a_sample_that_fails_ends_no_run_and_is_said(play: Play) -> None:
    machine, failed = play(), threading.Event()
    with Meter(sources=machine.sources(), interval_s=0.001) as meter:

        def fail() -> None:
            failed.set()
            raise RuntimeError("driver went away")

        machine.processes.after_read = fail
        assert failed.wait(10)
        machine.advance(1.0)
        with meter.phase("train"):
            pass
    assert "a sample failed: RuntimeError: driver went away" in meter.cost().flags


def test_a_disk_that_is_full_for_a_while_ends_no_run(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, tried = play(), threading.Event()

    def full(_path: Path, _content: bytes) -> None:
        tried.set()
        raise OSError(errno.ENOSPC, "No space left on device")

    meter = Meter(tmp_path / "cost.json", sources=machine.sources(), interval_s=0.001)
    with meter, monkeypatch.context() as context:
        context.setattr(session, "write_bytes", full)
        machine.advance(11.0)
        assert tried.wait(10)
        meter._stop.set()
        assert meter._thread is not None
        meter._thread.join(10)
    assert any("No space left on device" in flag for flag in read_cost(tmp_path).flags)


def test_a_disk_that_is_full_at_either_end_is_an_error(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    machine = play(cards=[PlayedCard(level(1.0))])
    sources = machine.sources()
    with monkeypatch.context() as context:
        context.setattr(session, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            Meter(tmp_path / "cost.json", sources=sources, background=False).__enter__()
    meter = Meter(tmp_path / "c.json", sources=sources, background=False)
    with pytest.raises(OSError, match="No space left"), monkeypatch.context() as context, meter:
        context.setattr(session, "write_bytes", full)


def test_a_damaged_record_is_not_written_over(play: Play, tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    path.write_text("{")
    with pytest.raises(DataError, match=r"cost\.json: damaged record of cost .* move it away"):
        Meter(path, sources=play().sources(), background=False).__enter__()
    assert path.read_text() == "{"


def test_processes_of_one_run_write_beside_each_other(play: Play, tmp_path: Path) -> None:
    for rank in (0, 1, 10):
        metered(play(), [1.0], tmp_path / "cost.json", rank=rank)
    assert sorted(path.name for path in tmp_path.glob("cost*")) == ["cost.json", "cost.rank1.json", "cost.rank10.json"]
    assert cost_path(tmp_path, 3) == tmp_path / "cost.rank3.json"
    assert read_cost(tmp_path).processes == 3


@pytest.mark.parametrize("options", [{"interval_s": 0}, {"interval_s": float("nan")}, {"co2_g_per_kwh": -1}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Meter(**options)  # type: ignore[arg-type]


def test_a_meter_runs_once_and_inside_its_block(play: Play) -> None:
    meter = Meter(sources=play().sources(), background=False)
    with pytest.raises(ValueError, match="entered first"):
        meter.sample()
    with meter:
        pass
    with pytest.raises(ValueError, match="runs once"):
        meter.__enter__()


def test_the_meter_is_light() -> None:
    code = "from ligera.meter import Meter, read_cost\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "psutil", "cv2", "onnxruntime", "pynvml"} & set(done.stdout.split())
