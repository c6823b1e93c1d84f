"""Layout detection through the one loop: it learns, survives a stop, and says what is wrong before it starts."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ligera.errors import LigeraError, RecipeError
from ligera.models.maskrcnn import build_maskrcnn
from ligera.train.reading import parse_recipe
from ligera.train.regions.task import RegionTask
from ligera.train.run import resume, start
from ligera.train.sampling import SampleKey

CPU = torch.device("cpu")
SAMPLERS = ("full", {"kind": "infobatch", "anneal": 0.0})


def test_it_learns_one_page_by_heart(region_values: dict) -> None:
    values = region_values | {"batch": 1, "augment": False, "precision": "fp32"}
    task = RegionTask(parse_recipe(values, "test"))
    torch.manual_seed(0)
    net = task.network().train()
    optimizer = torch.optim.AdamW(net.parameters(), 0.002)
    totals = []
    for batch in task.batches(None, [[SampleKey(0, 0, step, 0)] for step in range(60)], CPU):
        losses = task.loss(net, batch, task.count(batch))
        total = sum(losses.parts.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert sum(totals[-5:]) < 0.4 * sum(totals[:5])


def test_a_run_leaves_a_whole_folder_with_scores_of_boxes_and_masks_for_each_class(
    region_values: dict, drawn_pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a process that other tests have not filled before
    marks = iter(range(500, 600))
    monkeypatch.setattr("ligera.meter.processes.ProcessTree.high_water_mb", lambda _tree: float(next(marks)))
    result = start(parse_recipe(region_values | {"validation": str(drawn_pages)}, "test"), tmp_path)
    files = {path.name for path in result.folder.iterdir()}
    assert {"card.json", "cost.json", "curves.png", "pages.jpg", "result.json", "weights.safetensors"} <= files
    for kind in ("box", "mask"):
        for figure in ("ap", "ap50", "ap75"):
            for name in ("", "_band", "_disc"):
                assert 0 <= result.metrics[f"{figure}_{kind}{name}"] <= 1
    card = json.loads((result.folder / "card.json").read_text())
    assert (card["task"], card["labels"], card["side_px"]) == ("detect-regions", ["band", "disc"], 160)
    assert (card["pages"], card["iterations"]) == (4, 4)
    closing = json.loads((result.folder / "result.json").read_text())["closing"]
    assert closing["memory_foretold_mb"] == card["memory_foretold_mb"] > 0
    measured = closing["memory_measured_mb"]
    assert closing["memory_error"] == pytest.approx(closing["memory_foretold_mb"] / measured - 1)


def test_training_goes_on_from_the_weights_of_another_run(region_values: dict, tmp_path: Path) -> None:
    first = start(parse_recipe(region_values | {"name": "first"}, "test"), tmp_path).folder / "weights.safetensors"
    net = RegionTask(parse_recipe(region_values | {"pretrained": str(first)}, "test")).network()
    assert all(torch.equal(values, net.state_dict()[name]) for name, values in load_file(first).items())
    other = tmp_path / "other.safetensors"
    save_file({"backbone.stem": torch.zeros(1)}, other)
    with pytest.raises(LigeraError, match=r"other\.safetensors: weights of another network"):
        start(parse_recipe(region_values | {"name": "second", "pretrained": str(other)}, "test"), tmp_path)


def test_the_weights_of_a_run_are_those_of_the_network_in_the_catalogue(region_values: dict, tmp_path: Path) -> None:
    recipe = parse_recipe(region_values | {"epochs": 1}, "test")
    folder = start(recipe, tmp_path).folder
    build_maskrcnn(RegionTask(recipe).spec).load_state_dict(load_file(folder / "weights.safetensors"))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_run_stopped_mid_epoch_ends_in_the_same_weights(region_values: dict, tmp_path: Path, sampler) -> None:
    values = region_values | {"sampler": sampler, "checkpoint_every_steps": 1, "batch": 1, "epochs": 2}
    recipe = parse_recipe(values, "test")
    whole = start(recipe, tmp_path / "whole").folder

    class Stopped(Exception):
        pass

    def stop(row: dict) -> None:
        if row.get("epoch") == 1 and row.get("step") == 1:
            raise Stopped

    with pytest.raises(Stopped):
        start(recipe, tmp_path / "stopped", stop)
    torch.rand(7)  # chance that someone else drew in between must not matter
    again = resume(tmp_path / "stopped" / "train" / "drawn").folder
    one, other = load_file(whole / "weights.safetensors"), load_file(again / "weights.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_dynamic_sampler_is_told_the_masks_score(region_values: dict, drawn_pages: Path, tmp_path: Path) -> None:
    changes = {"sampler": {"kind": "dynamic", "beta": 0.5}, "validation": str(drawn_pages), "batch": 1}
    result = start(parse_recipe(region_values | changes, "test"), tmp_path)
    rows = [json.loads(line) for line in (result.folder / "history.jsonl").read_text().splitlines()]
    assert [row["pictures"] for row in rows] == [2, 2]
    assert all("ap50_mask" in row for row in rows)


def test_a_page_without_regions_trains_too(region_values: dict, broken_pages) -> None:
    def empty_first_page(content: dict) -> None:
        content["annotations"] = [row for row in content["annotations"] if row["image_id"] != 1]

    task = RegionTask(parse_recipe(region_values | {"data": str(broken_pages(empty_first_page))}, "test"))
    net = task.network().train()
    (batch,) = task.batches(None, [[SampleKey(0, 0, 0, 0), SampleKey(0, 0, 1, 1)]], CPU)
    losses = task.loss(net, batch, task.count(batch))
    sum(losses.parts.values()).backward()
    assert losses.per_sample.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


def test_memory_that_runs_out_in_a_step_is_met_with_what_would_help(region_values: dict) -> None:
    task = RegionTask(parse_recipe(region_values, "test"))
    (batch,) = task.batches(None, [[SampleKey(0, 0, 0, 0)]], CPU)

    def starving(*_inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(RecipeError, match=r"out of memory.*try batch=1 or .*model=layout-small"):
        task.loss(starving, batch, task.count(batch))


def _no_regions(content: dict) -> None:
    content["annotations"] = []


def _two_points(content: dict) -> None:
    content["annotations"][0]["segmentation"] = [[1, 1, 9, 9]]


def _unknown_class(content: dict) -> None:
    content["annotations"][0]["category_id"] = 9


def _page_missing(content: dict) -> None:
    content["images"][0]["file_name"] = "nowhere.png"


def _box_alone(content: dict) -> None:
    content["annotations"][0]["segmentation"] = []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_no_regions, "no page has a region"),
        (_two_points, "annotation 1"),
        (_unknown_class, "no category 9"),
        (_page_missing, r"nowhere\.png"),
        (_box_alone, "a box but no outline"),
    ],
)
def test_what_cannot_be_learned_from_is_named_before_any_folder_is_made(
    region_values: dict, broken_pages, tmp_path: Path, change, words: str
) -> None:
    recipe = parse_recipe(region_values | {"data": str(broken_pages(change))}, "test")
    with pytest.raises(LigeraError, match=words) as caught:
        start(recipe, tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_class_that_only_validation_has_is_named(region_values: dict, broken_pages) -> None:
    def rename(content: dict) -> None:
        content["categories"][0]["name"] = "bands"

    recipe = parse_recipe(region_values | {"validation": str(broken_pages(rename))}, "test")
    with pytest.raises(LigeraError, match=r"'bands'.*did you mean 'band'"):
        RegionTask(recipe)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "layout-smal"}, "layout-small"),
        ({"batch": 5}, "batch: 5"),
        ({"data": "nowhere"}, "nowhere"),
        ({"tags": {"MusicRegion": "staff"}}, "tags"),
        ({"format": "pagexml"}, "xml"),
        ({"sampler": "dynamic"}, "validation"),
        ({"augment": {"zoom": [2, 1]}}, "zoom"),
        ({"augment": {"mirror": 0.5}}, "mirror"),
        ({"side_px": 64}, "side_px"),
    ],
)
def test_a_wrong_recipe_is_answered_in_one_line(region_values: dict, tmp_path: Path, change: dict, words: str) -> None:
    with pytest.raises(LigeraError, match=words) as caught:
        start(parse_recipe(region_values | change, "test"), tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()
