"""``ligera search`` from the outside: its result, its words, and how it refuses."""

import json
from pathlib import Path

import pytest

from ligera.cli import run
from ligera.commands.search import _lines
from ligera.train.faces.architecture import read_architecture

from ..search.conftest import costs, faces, table, table_file, target_ms, values
from ..search.searches import write_recipe

__all__ = ["costs", "faces", "table", "table_file", "target_ms", "values"]


@pytest.fixture
def recipe_file(values: dict, tmp_path: Path) -> Path:
    bare = {key: value for key, value in values.items() if key not in ("table", "targets")}
    return write_recipe(tmp_path / "tiny.yaml", bare | {"epochs": 2})


def test_a_search_prints_the_net_its_cost_and_where_it_is(
    recipe_file: Path, table_file: Path, target_ms: float, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    options = ["--table", str(table_file), "--target-ms", str(target_ms), "--runs", str(tmp_path / "runs")]
    assert run(["search", str(recipe_file), "strength=2", *options]) == 0
    shown = capsys.readouterr()
    folder = tmp_path / "runs" / "search" / "tiny"
    name = read_architecture(folder / "found.yaml").name
    assert f"found       {name}" in shown.out
    assert f"model={folder / 'found.yaml'}" in shown.out
    assert "latency_ms" in shown.out
    assert "entropy" in shown.err
    assert "expected latency ms" in shown.err
    assert "strength: 2.0" in (folder / "recipe.yaml").read_text()
    assert run(["search", "--resume", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["found"]["name"] == name
    assert told["cost"]["figures"]["wall_s"]["value"] > 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "either a search recipe or --resume"),
        (["{recipe}"], "--table"),
        (["{recipe}", "--table", "{table}"], "--target-ms"),
        (["{recipe}", "--target-ms", "1"], "--table"),
        (["{recipe}", "--target-ms", "-1", "--table", "{table}"], "greater than 0"),
        (["{recipe}", "--target-ms", "nan", "--table", "{table}"], "finite number"),
        (["{recipe}", "--target-ms", "1e9", "--table", "{table}"], "times the target"),
        (["{recipe}", "--target-ms", "1", "--table", "{recipe}"], "not JSON"),
        (["{recipe}", "--target-ms", "1", "--table", "missing.json"], "cannot be read"),
        (["{recipe}", "--target-ms", "1", "--table", "{table}", "--method", "luck"], "method"),
        (["{recipe}", "--epoch", "3"], "--from"),
        (["{recipe}", "--resume", "x"], "either"),
        (["--resume", "x", "--target-ms", "3"], "--from RUN"),
        (["--resume", "x"], "not a search"),
        (["missing.yaml"], "cannot be read as a recipe"),
        (["{table}"], "missing"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: list[str],
    complaint: str,
    recipe_file: Path,
    table_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    filled = [word.format(recipe=recipe_file, table=table_file) for word in arguments]
    assert run(["search", *filled, "--runs", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"method": "gates", "on_target": True}, []),
        (
            {"method": "gates", "on_target": True, "measured_ms": 2.022, "measured": [{}, {}]},
            ["measured    2.022 ms here, +1.1% off the target (nets tried: 2)"],
        ),
        (
            {"method": "random", "on_target": False, "measured_ms": 2.1, "measured": [{}]},
            ["measured    2.1 ms here, +5.0% off the target (nets tried: 1)", "off target  5.0%: try another seed"],
        ),
        (
            {"method": "gates", "on_target": False, "measured": [{}], "doubts": ["other work"]},
            [
                "measured    too noisy to say: other work",
                "off target  3.0%: no net of the space lies nearer by the gates",
            ],
        ),
    ],
)
def test_what_the_clock_says_of_the_net_taken_is_told(facts: dict, said: list[str]) -> None:
    found = {"name": "x", "amounts": {"latency_ms": 2.06}, "targets": {"latency_ms": 2.0}, "relative": 1.03} | facts
    unknown = {name: {"value": None, "source": "unknown"} for name in ("wall_s", "energy_kwh", "peak_rss_mb")}
    lines = _lines(found, {"figures": unknown})
    assert [line for line in lines if line.startswith(("measured", "off target"))] == said
