"""Which counters are read, and why none are."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ligera.meter.rapl import Rapl

from .machine import Machine, PlayedPackage, level

Play = Callable[..., Machine]


def package(number: int = 0, **changes: object) -> Callable[..., PlayedPackage]:
    names = {"folder": f"intel-rapl:{number}", "name": f"package-{number}"}
    return partial(PlayedPackage, trace=level(100.0), **{**names, **changes})  # type: ignore[arg-type]


def inner(number: int, name: str) -> Callable[..., PlayedPackage]:
    return package(folder=f"intel-rapl:0/intel-rapl:0:{number}", name=name)


def test_packages_and_memory_count_and_what_lies_within_them_does_not(play: Play) -> None:
    machine = play(
        packages=[
            package(0),
            inner(0, "core"),
            inner(1, "uncore"),
            inner(2, "dram"),
            package(1),
            package(2, name="psys"),
            package(folder="intel-rapl-mmio:0"),
        ]
    )
    rapl = Rapl(machine.root)
    assert [zone.name for zone in rapl.zones] == ["package-0", "package-0 dram", "package-1"]
    assert rapl.trouble is None
    machine.advance(2.0)
    assert rapl.read() == pytest.approx(dict.fromkeys(["package-0", "package-0 dram", "package-1"], 1434.5))


def test_the_second_interface_to_a_package_will_do_where_it_is_the_only_one(play: Play) -> None:
    machine = play(packages=[package(folder="intel-rapl-mmio:0")])
    assert [zone.name for zone in Rapl(machine.root).zones] == ["package-0"]


def test_counters_that_only_root_may_read_say_what_to_do(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = play(packages=[package(0), package(1)])
    read = Path.read_text

    def forbidden(path: Path, **options: str) -> str:
        if path.name == "energy_uj" and "rapl:1" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, **options)

    monkeypatch.setattr(Path, "read_text", forbidden)
    rapl = Rapl(machine.root)
    assert rapl.zones == ()
    assert rapl.trouble is not None and "only be read by root" in rapl.trouble and "chmod a+r" in rapl.trouble


def test_a_counter_that_stands_at_zero_is_no_counter(play: Play) -> None:
    machine = play(packages=[package(start_j=0.0)])
    assert "stands at 0" in str(Rapl(machine.root).trouble)


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    rapl = Rapl(tmp_path / "nothing")
    assert rapl.zones == () and rapl.read() == {} and "no RAPL counters" in str(rapl.trouble)


def test_a_counter_that_goes_away_reads_none(play: Play) -> None:
    machine = play(packages=[package()])
    rapl = Rapl(machine.root)
    (machine.root / "intel-rapl:0" / "energy_uj").unlink()
    assert rapl.read() == {"package-0": None}
