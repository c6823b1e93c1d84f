"""A search from recipe to named architecture, stopped and taken up, started from another's state, and its rivals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ligera.errors import DataError, RecipeError
from ligera.search.recipe import SearchRecipe, read_search_recipe
from ligera.search.run import Origin, SearchResult, resume_search, start_search
from ligera.search.table import read_table
from ligera.train.faces.architecture import read_architecture
from ligera.train.reading import read_recipe

from .searches import write_recipe

# of a history's rows, what no two runs have alike
TIMES = ("train_s", "pictures_per_s")


class Stopped(Exception):
    pass


def stop_at(epoch: int, step: int):
    def listener(row: dict) -> None:
        if (row.get("epoch"), row.get("step")) == (epoch, step):
            raise Stopped

    return listener


@pytest.fixture
def recipe(values: dict, tmp_path: Path) -> SearchRecipe:
    return read_search_recipe(write_recipe(tmp_path / "tiny.yaml", values))


def state(folder: Path) -> dict:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def same(one, other) -> bool:
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one if key not in TIMES)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_search_ends_in_an_architecture_that_training_takes(
    recipe: SearchRecipe, values: dict, tmp_path: Path
) -> None:
    rows: list[dict] = []
    result = start_search(recipe, tmp_path / "runs", rows.append)
    assert {path.name for path in result.folder.iterdir()} >= {
        *("recipe.yaml", "table.json", "environment.json", "cost.json", "history.jsonl", "checkpoint.pt", "epochs"),
        *("curves.png", "gates.json", "found.yaml", "result.json"),
    }
    found = read_architecture(result.architecture)
    assert found.name == result.found["name"]
    assert abs(result.found["relative"] - 1) <= recipe.land_within
    history = [json.loads(line) for line in (result.folder / "history.jsonl").read_text().splitlines()]
    assert [row["warm_up"] for row in history] == [True, False, False]
    assert history[0]["entropy"] == pytest.approx(1.0)
    assert history[-1]["entropy"] < 1
    assert "loss_held_out" in history[-1]
    assert "loss_held_out" not in history[0]
    assert {"warm-up", "search"} <= set(result.cost["phases"])
    training = {key: values[key] for key in ("data", "side_px", "batch", "name")} | {"model": str(result.architecture)}
    assert read_recipe(write_recipe(tmp_path / "train.yaml", training)).spec == found.spec
    again = resume_search(result.folder)
    assert again.found == result.found


def test_a_search_that_was_stopped_ends_as_one_that_was_not(recipe: SearchRecipe, tmp_path: Path) -> None:
    whole = start_search(recipe, tmp_path / "whole")
    kept = recipe.model_copy(update={"checkpoint_every_steps": 1})
    with pytest.raises(Stopped):
        start_search(kept, tmp_path / "cut", stop_at(1, 2))
    resumed = resume_search(tmp_path / "cut" / "search" / "tiny")
    assert same(state(whole.folder), state(resumed.folder))
    assert resumed.found == whole.found


def test_another_search_starts_from_the_end_of_warm_up_bit_for_bit(recipe: SearchRecipe, tmp_path: Path) -> None:
    first = start_search(recipe, tmp_path / "runs")
    second = start_search(recipe, tmp_path / "runs", origin=Origin(first.folder))
    assert second.folder.name == "tiny-2"
    assert same(state(first.folder), state(second.folder))
    later = start_search(recipe, tmp_path / "runs", origin=Origin(first.folder, 2))
    assert same(state(first.folder), state(later.folder))
    with pytest.raises(DataError, match="not after 9"):
        start_search(recipe, tmp_path / "runs", origin=Origin(first.folder, 9))


def test_a_state_of_another_space_is_refused(recipe: SearchRecipe, tmp_path: Path) -> None:
    first = start_search(recipe.model_copy(update={"epochs": 2}), tmp_path / "runs")
    cut = recipe.model_copy(update={"channels": ((4,), (8,), (8, 16), (16,))})
    with pytest.raises(DataError, match="not one of this space"):
        start_search(cut, tmp_path / "runs", origin=Origin(first.folder))


@pytest.mark.parametrize("method", ["random", "evolution"])
def test_candidates_are_trained_once_and_the_best_is_found(method: str, recipe: SearchRecipe, tmp_path: Path) -> None:
    changes = {"method": method, "candidates": 3, "rungs": 2, "samples_per_epoch": 2, "band": 0.2}
    short = recipe.model_copy(update=changes)

    def stop(row: dict) -> None:
        if row.get("candidate") == 2:
            raise Stopped

    with pytest.raises(Stopped):
        start_search(short, tmp_path / "runs", stop)
    seen: list[dict] = []
    result = resume_search(tmp_path / "runs" / "search" / "tiny", seen.append)
    trained = sum("row" in row for row in seen)
    judged = [json.loads(line) for line in (result.folder / "candidates.jsonl").read_text().splitlines()]
    assert len(judged) == (4 if method == "random" else 3)
    assert trained < sum(3 ** one["rung"] for one in judged)
    assert result.found["name"] in {one["name"] for one in judged}
    assert all(abs(one_relative(result, one["name"]) - 1) <= 0.2 for one in judged)


def one_relative(result: SearchResult, name: str) -> float:
    table = read_table(result.folder / "table.json")
    return table.latency_ms(table.space.architecture(name)) / result.found["targets"]["latency_ms"]


def test_fewest_macs_is_what_counting_all_nets_of_the_band_finds(recipe: SearchRecipe, costs, table, tmp_path) -> None:
    result = start_search(recipe.model_copy(update={"method": "fewest-macs"}), tmp_path / "runs")
    shape = tuple(array.shape[2] for array in costs.slots)
    nets = [(k, picked) for k in range(len(costs.combinations)) for picked in np.ndindex(*shape)]
    inside = [costs.architecture(net) for net in nets if abs(costs.relative(net) - 1) <= recipe.band]
    found = table.space.architecture(result.found["name"])
    assert table.total(found, "macs") == min(table.total(net, "macs") for net in inside)


def test_wrong_recipes_are_refused_before_any_folder_is_made(values: dict, tmp_path: Path) -> None:
    wrong = [
        ({"targets": []}, "--target-ms"),
        ({"table": None}, "--table"),
        ({"targets": [{"attribute": "latency_ms", "target": 1e6}]}, "times the target"),
        ({"channels": [[4], [9], [8], [16]]}, "stage 2 of space mini has 8"),
    ]
    for change, complaint in wrong:
        recipe = read_search_recipe(write_recipe(tmp_path / "wrong.yaml", values | change))
        with pytest.raises(RecipeError, match=complaint):
            start_search(recipe, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"warmup_epochs": 3}, "warmup_epochs"),
        ({"strenght": 1}, "did you mean 'strength'"),
        ({"targets": [{"attribute": "latency", "target": 3}]}, "expected one of latency_ms"),
        ({"targets": [{"attribute": "macs", "target": -3}]}, "greater than 0"),
        ({"sampler": {"kind": "static"}}, "expected kind full"),
        ({"method": "luck"}, "method"),
        ({"pretrained": "weights.safetensors"}, "pretrained: a search makes its nets of other blocks .*; leave it out"),
        ({"pretrained": "weights.safetensors", "frozen_stages": 1}, "pretrained: a search makes"),
    ],
)
def test_a_wrong_key_or_value_is_named_in_one_line(change: dict, complaint: str, values: dict, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=complaint) as error:
        read_search_recipe(write_recipe(tmp_path / "wrong.yaml", values | change))
    assert "\n" not in str(error.value)
