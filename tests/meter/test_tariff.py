"""Prices: flat or by hour of day, and what is wrong with a file that holds none."""

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ligera.errors import DataError, LigeraError, MissingExtra, UsageError
from ligera.meter.tariff import DEFAULT_EUR_PER_KWH, Tariff

MADRID_WINTER = timezone(timedelta(hours=1))
NIGHT = """\
default: 0.246
hours:
  "22:00-08:00": 0.12
  18-22: 0.31
"""


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, 15, hour, minute, tzinfo=MADRID_WINTER)


def test_a_price_is_the_same_at_all_hours() -> None:
    tariff = Tariff.read("0.2")
    assert tariff.is_flat and str(tariff) == "0.2 EUR/kWh"
    assert {tariff.price_at(at(hour)) for hour in range(24)} == {0.2}
    assert Tariff.flat().price_at(at(3)) == DEFAULT_EUR_PER_KWH == 0.246


@pytest.mark.parametrize("name", ["tariff.yaml", "tariff.YML"])
def test_a_night_that_wraps_midnight_is_one_night(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(NIGHT)
    tariff = Tariff.read(tmp_path / name)
    prices = {hour: tariff.price_at(at(hour)) for hour in range(24)}
    assert {hour for hour, price in prices.items() if price == 0.12} == {22, 23, 0, 1, 2, 3, 4, 5, 6, 7}
    assert {hour for hour, price in prices.items() if price == 0.31} == {18, 19, 20, 21}
    assert tariff.price_at(at(7, 59)) == 0.12 and tariff.price_at(at(8)) == 0.246
    assert "0.12 to 0.31 EUR/kWh by hour of day (local time of the run)" in str(tariff)


def test_json_says_the_same_and_may_name_a_time_zone(tmp_path: Path) -> None:
    path = tmp_path / "tariff.json"
    path.write_text(json.dumps({"time_zone": "Europe/Madrid", "hours": {"0-12": 0.1, "12:00-24:00": 0.3}}))
    tariff = Tariff.read(str(path))
    assert tariff.price_at(datetime(2026, 1, 15, 10, 59, tzinfo=UTC)) == 0.1
    assert tariff.price_at(datetime(2026, 1, 15, 11, tzinfo=UTC)) == 0.3
    # in summer Madrid is two hours ahead
    assert tariff.price_at(datetime(2026, 7, 15, 10, tzinfo=UTC)) == 0.3
    assert "Europe/Madrid" in str(tariff)


@settings(max_examples=25)
@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=96, max_size=96))
def test_what_is_written_into_a_record_reads_back_to_the_same_prices(prices: list[float]) -> None:
    tariff = Tariff(tuple(prices))
    assert Tariff.parse(json.loads(json.dumps(tariff.as_dict())), "record").prices == tariff.prices


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"hours": {"22-8": 0.1}}, "no price for 08:00; add it to hours, or a default"),
        ({"default": 1, "hours": {"22-8": 0.1, "7-9": 0.2}}, "07:00 has two prices"),
        ({"default": 1, "hours": {"25-8": 0.1}}, "expected quarters of an hour"),
        ({"default": 1, "hours": {"8:10-9": 0.1}}, "expected quarters of an hour"),
        ({"default": 1, "hours": {"8-8": 0.1}}, "an end that differs"),
        ({"default": 1, "hours": {"night": 0.1}}, "expected times such as"),
        ({"default": 1, "hours": {8: 0.1}}, "expected times such as"),
        ({"default": 1, "hours": [0.1] * 24}, "expected times and prices"),
        ({"default": 24.6}, "not cents"),
        ({"default": -0.1}, "expected EUR/kWh"),
        ({"default": "0.1"}, "expected EUR/kWh"),
        ({"default": True}, "expected EUR/kWh"),
        ({"default": float("nan")}, "expected EUR/kWh"),
        ({"default": 1, "hours": {"22-8": None}}, "hours 22-8: expected EUR/kWh"),
        ({"default": 1, "time_zone": "Europe/Madird"}, "no time zone 'Europe/Madird'"),
        ({"default": 1, "time_zone": "Europe"}, "no time zone"),
        ({"default": 1, "time_zone": "../../etc/passwd"}, "no time zone"),
        ({"default": 1, "time_zone": 1}, "no time zone"),
        ({"hour": {}}, "no key 'hour'; did you mean 'hours'?"),
        ({}, "no price for 00:00"),
        ([], "expected default, hours, time_zone"),
        (None, "expected default, hours, time_zone"),
    ],
)
def test_what_is_wrong_with_a_tariff_is_said_in_one_line(content: object, reason: str) -> None:
    with pytest.raises(DataError, match=r"^night\.json: ") as raised:
        Tariff.parse(content, "night.json")
    assert reason in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["24.6", "-1", "nan", "inf"])
def test_a_number_that_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected EUR/kWh"):
        Tariff.read(text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"[" * 60_000),
        ("a.json", b"\xff\xfe"),
        ("a.yaml", b"a: [1"),
        ("a.yaml", b"a: !!python/object:os.system x"),
        ("a.yaml", b"\x00"),
        ("a.txt", b"default: 0.2"),
        ("a.json", b" " * 100_000),
        ("a.yaml", b""),
    ],
)
def test_a_file_that_is_no_tariff_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name) as raised:
        Tariff.read(tmp_path / name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["missing.json", ".", "a\x00b"])
def test_a_path_that_holds_no_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(LigeraError, match="a tariff is a price"):
        Tariff.read(tmp_path / name)


def test_yaml_without_its_package_names_the_extra_and_json_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "t.yaml").write_text(NIGHT)
    with pytest.raises(MissingExtra, match="PyYAML"):
        Tariff.read(tmp_path / "t.yaml")
    (tmp_path / "t.json").write_text('{"default": 0.2}')
    assert Tariff.read(tmp_path / "t.json").is_flat
