"""Latency tables: sums, constants, and files that say what is wrong with them."""

import json
from pathlib import Path

import pytest

from ligera.errors import DataError, UsageError
from ligera.search import table as module
from ligera.search.table import Settings, read_table, settings_for, table_schema

from .small_spaces import row, small_space, table_of


def test_the_schema_in_the_package_is_that_of_the_record() -> None:
    shipped = Path(module.__file__).with_name("table.schema.json")
    assert json.loads(shipped.read_text(encoding="utf-8")) == table_schema()


def test_a_table_comes_back_from_its_file(tmp_path: Path) -> None:
    table = table_of(small_space(), constants={"net": 0.5}, noise=("too loud",), skipped={})
    table.write(tmp_path / "table.json")
    assert read_table(tmp_path / "table.json") == table
    assert table.complete


def test_a_net_takes_the_sum_of_its_entries_and_the_constants_of_its_places() -> None:
    space = small_space()
    net = space.architecture("small-4a-8ab-8ab-16a")
    assert table_of(space).latency_ms(net) == len(net.entries()) == 11
    table = table_of(space, constants={"net": 10.0, "stage2": 0.25, "stage4": -0.5})
    assert table.latency_ms(net) == 11 + 10 + 2 * 0.25 - 0.5
    assert table.total(net, "macs") == 0


def test_a_row_that_is_not_there_is_named() -> None:
    space = small_space()
    stem, block, *rest = space.entries()
    table = table_of(space, rows={entry.key: row() for entry in (block, *rest)}, skipped={})
    assert not table.complete
    with pytest.raises(DataError, match=r"no row for stem-4_3x64x64.relu; measure it"):
        table.value(stem)
    table = table_of(space, rows={entry.key: row() for entry in (stem, *rest)}, skipped={block.key: "too slow"})
    with pytest.raises(DataError, match="was skipped: too slow"):
        table.latency_ms(space.architecture("small-4a-8a0-8a0-16a"))


def test_unknown_energy_and_attributes_are_refused() -> None:
    space = small_space()
    with pytest.raises(DataError, match=r"energy_mj of .* is unknown"):
        table_of(space).value(space.entries()[0], "energy_mj")
    with pytest.raises(DataError, match="attribute: expected one of latency_ms, macs"):
        table_of(space).value(space.entries()[0], "speed")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not JSON"),
        ("[]", "not a latency table"),
        ('{"format": 2}', "is a table of format 2"),
        ('{"format": 1}', "not a latency table as `ligera profile` writes it (made_at: Field required)"),
    ],
)
def test_a_file_that_is_no_table_is_named(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert said in str(caught.value) and str(path) in str(caught.value)


def test_a_row_of_another_space_and_a_time_below_nothing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    text = table_of(small_space()).to_json()
    path.write_text(text.replace("stem-4_", "stem-5_"))
    with pytest.raises(DataError, match=r"'stem-5_3x64x64.relu' is no entry of space small"):
        read_table(path)
    path.write_text(text.replace('"latency_ms": 1.0', '"latency_ms": -1.0', 1))
    with pytest.raises(DataError, match="greater than or equal to 0"):
        read_table(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path)


def test_counts_are_the_papers_unless_given() -> None:
    assert settings_for("onnxruntime", 2).rounds > settings_for("onnxruntime", 1).rounds
    assert settings_for("tensorrt", None).rounds == settings_for("tensorrt", 1).rounds
    assert (settings_for("onnxruntime").warm_up_runs, settings_for("onnxruntime").samples) == (20, 50)
    assert (settings_for("tensorrt").warm_up_runs, settings_for("tensorrt", samples=7).samples) == (40, 7)
    assert Settings().trim == 0.1
    with pytest.raises(UsageError, match="samples: input should be greater"):
        settings_for("onnxruntime", samples=1)
