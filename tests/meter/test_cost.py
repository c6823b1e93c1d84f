"""From records to what a run cost: legs, processes, shared devices, savings."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.errors import DataError, LigeraError
from ligera.meter import Cost, Figure, Meter, read_cost, session
from ligera.meter.cost import SAVED
from ligera.meter.nvml import Cards
from ligera.meter.tariff import Tariff

from .machine import Machine, PlayedCard, PlayedPackage, level, metered

Play = Callable[..., Machine]
KWH = 3.6e6


def run(play: Play, folder: Path, seconds: int = 60, **options: Any) -> Cost:
    machine = play(**options)
    metered(machine, [1.0] * seconds, folder / "cost.json")
    return read_cost(folder)


def test_processes_add_cpu_time_and_memory_but_not_time_and_share_devices_once(play: Play, tmp_path: Path) -> None:
    card, package = PlayedCard(level(300.0)), partial(PlayedPackage, trace=level(90.0))
    for rank, seconds in enumerate((60, 58)):
        machine = play(cards=[card], packages=[package])
        metered(machine, [1.0] * seconds, tmp_path / "cost.json", rank=rank)
    cost = read_cost(tmp_path)
    assert cost.processes == 2
    assert cost.figures["wall_s"].value == pytest.approx(60)
    assert cost.figures["cpu_s"].value == pytest.approx(118)
    assert cost.figures["peak_rss_mb"].value == pytest.approx(1000)
    assert cost.figures["energy_kwh"].value == pytest.approx(60 * 390 / KWH)
    assert cost.figures["energy_kwh"].source == "measured"
    assert cost.devices["Played Card"]["memory_peak_mb"].value == 4000


def test_estimates_are_each_process_s_own_and_add_up(play: Play, tmp_path: Path) -> None:
    for rank in range(3):
        metered(play(), [1.0] * 10, tmp_path / "cost.json", rank=rank)
    cost = read_cost(tmp_path)
    assert cost.figures["energy_kwh"].value == pytest.approx(3 * 10 * 2.0 / KWH)
    assert cost.figures["energy_kwh"].spread == pytest.approx((3 * 10 / KWH, 3 * 40 / KWH))


def test_devices_of_two_machines_are_two(play: Play, tmp_path: Path) -> None:
    for rank, host in enumerate(("one", "two")):
        machine = play(packages=[partial(PlayedPackage, trace=level(100.0))], host=host)
        metered(machine, [1.0] * 36, tmp_path / "cost.json", rank=rank)
    cost = read_cost(tmp_path)
    assert len(cost.devices) == 2
    assert cost.figures["energy_kwh"].value == pytest.approx(2 * 3600 / KWH)


def test_a_shared_card_counts_once_even_where_each_saw_another_part(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 0 saw the first half hour, rank 1 the second: nothing is lost and nothing twice."""
    monkeypatch.setattr(session, "WRITE_EVERY_S", 600.0)
    machine = play(cards=[PlayedCard(level(400.0))])
    for rank in range(2):
        metered(machine, [30.0] * 60, tmp_path / "cost.json", rank=rank)
    assert read_cost(tmp_path).devices["Played Card"]["energy_kwh"].value == pytest.approx(400 * 3600 / KWH)


def test_phases_of_processes_are_one_phase(play: Play, tmp_path: Path) -> None:
    for rank in range(2):
        machine = play(cards=[PlayedCard(level(98.0))])
        meter = Meter(tmp_path / "cost.json", rank=rank, sources=machine.sources(), background=False)
        with meter, meter.phase("train"):
            machine.advance(10.0)
    train = read_cost(tmp_path).phases["train"]
    assert train["wall_s"].value == pytest.approx(10) and train["cpu_s"].value == pytest.approx(20)
    assert train["energy_kwh"].value == pytest.approx((980 + 2 * 20) / KWH)


def test_a_card_that_could_not_be_read_leaves_the_sum_unknown(play: Play, tmp_path: Path) -> None:
    machine = play()
    missing = Cards(None, environment={}, traces=("/",))
    with Meter(tmp_path / "cost.json", sources=machine.sources(cards=missing), background=False):
        machine.advance(5.0)
    energy = read_cost(tmp_path).figures["energy_kwh"]
    assert energy.source == "unknown" and energy.value is None
    assert "pip install 'ligera[energy]'" in energy.note and "Played CPU: estimated" in energy.note


def cost_of(**values: float | None) -> Cost:
    figures = {
        name: Figure(values.get(name), "x", "unknown" if values.get(name) is None else "measured", "card", None, 1)
        for name in SAVED
    }
    return Cost("run", "done", 1, 1, "cpu", Tariff.flat(), 242.0, figures, {}, {}, ())


def test_savings_are_the_paper_s() -> None:
    """Table 3.26 of paper B: 82.1 % with ResNet-50."""
    base = cost_of(wall_s=10.8 * 3600, energy_kwh=3.823, euros=0.94)
    resnet = cost_of(wall_s=1.9 * 3600, energy_kwh=0.684, euros=0.168)
    savings = resnet.savings(base)
    assert savings["energy_kwh"].value == pytest.approx(82.1, abs=0.05)
    assert savings["wall_s"].value == pytest.approx(82.4, abs=0.05)
    assert savings["energy_kwh"].unit == "%" and savings["energy_kwh"].source == "measured"
    more = base.savings(resnet)["energy_kwh"].value
    assert more is not None and more < -400


def test_savings_against_nothing_or_the_unknown_are_unknown() -> None:
    for own, base in ((1.0, None), (None, 1.0), (1.0, 0.0)):
        saving = cost_of(energy_kwh=own).savings(cost_of(energy_kwh=base))["energy_kwh"]
        assert saving.value is None and saving.source == "unknown"


def test_savings_between_a_measured_and_an_estimated_run_are_estimated(play: Play, tmp_path: Path) -> None:
    measured = run(play, tmp_path / "a", packages=[partial(PlayedPackage, trace=level(90.0))])
    estimated = Machine(tmp_path / "nothing")
    metered(estimated, [1.0] * 60, tmp_path / "b" / "cost.json")
    saving = read_cost(tmp_path / "b").savings(measured)["energy_kwh"]
    assert saving.source == "estimated" and saving.value == pytest.approx(100 * (1 - 2 / 90))


def test_a_record_may_be_named_itself(play: Play, tmp_path: Path) -> None:
    run(play, tmp_path)
    assert read_cost(tmp_path / "cost.json").figures == read_cost(str(tmp_path)).figures


@pytest.mark.parametrize("name", ["nowhere", ""])
def test_a_folder_without_a_record_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such run folder|holds no record of cost"):
        read_cost(tmp_path / name)


def at(document: Any, *path: Any) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("legs",), {}),
        (("legs", 0, "wall_s"), "long"),
        (("legs", 0, "wall_s"), -1),
        (("legs", 0, "started"), "2026-03-02T10:00:00"),
        (("legs", 0, "last"), "0001-01-01T00:00:00+14:00"),
        (("legs", 0, "state"), "asleep"),
        (("legs", 0, "energy", 0, "by_quarter"), {"noon": 1.0}),
        (("legs", 0, "energy", 0, "joules"), 1e300),
        (("legs", 0, "phases"), []),
        (("legs", 0, "surprise"), 1),
        (("tariff",), {"default": 99}),
        (("co2_g_per_kwh",), 1e6),
    ],
)
def test_a_record_that_says_the_impossible_is_damaged(
    path: tuple[Any, ...], value: Any, play: Play, tmp_path: Path
) -> None:
    run(play, tmp_path)
    document = json.loads((tmp_path / "cost.json").read_text())
    at(document, *path[:-1])[path[-1]] = value
    (tmp_path / "cost.json").write_text(json.dumps(document))
    with pytest.raises(LigeraError) as raised:
        read_cost(tmp_path)
    assert "\n" not in str(raised.value)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200) | st.just(b"[" * 50_000) | st.just(b'{"version": 1, "legs": NaN}'))
def test_no_content_of_a_record_is_a_surprise(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / "cost.json").write_bytes(content)
    with pytest.raises(DataError, match="damaged record of cost") as raised:
        read_cost(folder)
    assert "\n" not in str(raised.value)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.just({})
    | st.just([])
)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changed")
    machine = Machine(folder / "none", cards=[PlayedCard(level(100.0))])
    metered(machine, [1.0] * 3, folder / "cost.json")
    (folder / "whole").write_bytes((folder / "cost.json").read_bytes())
    return folder


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_record_with_any_one_value_changed_reads_or_says_why_not(data: st.DataObject, record: Path) -> None:
    document = json.loads((record / "whole").read_text())
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not inner or not isinstance(inner, dict | list) or data.draw(st.integers(0, 9)) == 0:
            break
        place = inner
    place[key] = data.draw(LEAVES)
    (record / "cost.json").write_text(json.dumps(document))
    try:
        cost = read_cost(record, tariff=Tariff(tuple([0.1] * 48 + [0.2] * 48), "Asia/Tokyo"))
    except LigeraError as error:
        assert "\n" not in str(error)
    else:
        json.dumps({**cost.as_dict(), **{name: figure.as_dict() for name, figure in cost.savings(cost).items()}})
