"""``ligera cost`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ligera import cli
from ligera.meter.record import CostFile, Energy, GpuUse, Leg, Machine, PhaseUse
from ligera.meter.tariff import Tariff

Capture = pytest.CaptureFixture[str]
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """A run folder whose two cards drew so many watts for so many hours, from 20:00 on."""

    def write(name: str, hours: float, watts: float, state: str = "done") -> Path:
        last = START + timedelta(hours=hours)
        joules = watts * 3600 * hours
        quarters = [START + timedelta(minutes=15 * i) for i in range(int(hours * 4))]
        energy = [
            Energy(
                device=f"GPU-{i}",
                name="Card",
                way="counter",
                shared=True,
                joules=joules,
                covered_s=3600 * hours,
                by_quarter={quarter: joules / len(quarters) for quarter in quarters},
                by_phase={"train": joules},
                n=100,
                note="NVML energy counter",
            )
            for i in range(2)
        ]
        gpus = [
            GpuUse(
                device=f"GPU-{i}",
                name="Card",
                memory_peak_mb=4941,
                memory_mean_mb=4000,
                utilisation_mean=0.9,
                seen_s=60,
                n=60,
            )
            for i in range(2)
        ]
        leg = Leg(
            started=START,
            last=last,
            state=state,  # type: ignore[arg-type]
            machine=Machine(host="here", processor="Some CPU", threads=8),
            wall_s=3600 * hours,
            cpu_s=7200 * hours,
            peak_rss_mb=2000,
            samples=100,
            metering_cpu_s=1,
            phases={"train": PhaseUse(times=1, wall_s=3600 * hours, cpu_s=7200 * hours)},
            gpus=tuple(gpus),
            energy=tuple(energy),
            notes=(),
        )
        document = CostFile(tariff=Tariff.flat().as_dict(), co2_g_per_kwh=242, legs=(leg,))
        folder = tmp_path / name
        folder.mkdir()
        (folder / "cost.json").write_text(document.model_dump_json())
        return folder

    return write


def test_a_run_is_shown_with_what_it_saved(run: Callable[..., Path], capsys: Capture) -> None:
    """The paper's base run and ResNet-50 (table 3.26): 82.1 % of the energy saved."""
    base, own = run("base", 10.75, 177.8), run("resnet", 2.0, 171.0)
    assert cli.run(["cost", str(own), "--base", str(base)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split("  ")[0]: line.split() for line in lines if line}
    assert rows["time"][1:] == ["2.00", "h", "10.75", "h", "81.4", "%", "measured"]
    assert rows["energy"][1:] == ["0.684", "kWh", "3.823", "kWh", "82.1", "%", "measured"]
    assert rows["cost"][1:3] == ["0.168", "EUR"] and rows["cost"][3:5] == ["0.94", "EUR"]
    assert rows["CO2"][-1] == "estimated"
    assert any("Card [GPU-1]" in line and "4941 MB" in line and "90%" in line for line in lines)
    assert any(line.startswith("train") for line in lines)
    assert any("tariff 0.246 EUR/kWh, 242 g CO2e/kWh (average of the EU-27 in 2023, Ember)" in line for line in lines)


def test_json_is_all_there_is_on_standard_output(run: Callable[..., Path], capsys: Capture) -> None:
    base, own = run("base", 10.0, 100.0), run("own", 5.0, 100.0)
    assert cli.run(["cost", str(own), "--base", str(base), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["hours"] == pytest.approx(5) and row["kwh"] == pytest.approx(1) and row["euros"] == pytest.approx(0.246)
    assert row["savings"]["energy_kwh"]["value"] == pytest.approx(50)
    assert row["figures"]["energy_kwh"]["source"] == "measured" and row["base"]["run"] == str(base)
    assert cli.run(["cost", str(own), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["savings"] is None


def test_another_tariff_and_factor_price_the_run_and_its_base(
    run: Callable[..., Path], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "night.yaml").write_text('default: 0.5\nhours: {"22-8": 0.1}\n')
    base, own = run("base", 4.0, 500.0), run("own", 2.0, 500.0)
    options = ["--base", str(base), "--tariff", str(tmp_path / "night.yaml"), "--co2", "100", "--json"]
    assert cli.run(["cost", str(own), *options]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["euros"] == pytest.approx(2 * 0.5)
    assert row["base"]["figures"]["euros"]["value"] == pytest.approx(2 * 0.5 + 2 * 0.1)
    assert row["figures"]["co2_g"]["value"] == pytest.approx(200)
    assert cli.run(["cost", str(own), "--tariff", "0.1"]) == 0
    assert "tariff 0.1 EUR/kWh" in capsys.readouterr().out


def test_a_run_without_an_end_is_shown_up_to_its_last_word(run: Callable[..., Path], capsys: Capture) -> None:
    assert cli.run(["cost", str(run("own", 1.0, 100.0, "running"))]) == 0
    text = capsys.readouterr().out
    assert "(unfinished, 1 leg" in text and "look twice at the run: a leg has no end" in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere: no such run folder"),
        (["own", "--base", "nowhere"], "nowhere: no such run folder"),
        (["empty"], "empty: holds no record of cost"),
        (["damaged"], "damaged record of cost"),
        (["own", "--tariff", "cheap"], "cheap: no such file"),
        (["own", "--tariff", "24.6"], "not cents"),
        (["own", "--tariff", "tariff.json"], "tariff.json: no price for 00:00"),
        (["own", "--tariff", "empty"], "a tariff is a price"),
        (["own", "--co2", "nan"], "CO2: expected g/kWh"),
        (["own", "--co2", "-1"], "CO2: expected g/kWh"),
    ],
)
def test_trouble_is_one_line_and_exit_code_two(
    arguments: list[str],
    reason: str,
    run: Callable[..., Path],
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("own", 1.0, 100.0)
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "cost.json").write_text('{"version": 1')
    (tmp_path / "tariff.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["cost", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and reason in captured.err and len(captured.err.splitlines()) == 1
