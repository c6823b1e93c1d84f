"""Runs of MTCNN's networks become one cascade, whole or its first part; what does not go together is said in a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ligera import cli
from ligera.deploy.bundle import BundleCard
from ligera.deploy.cascade.engine import CascadeEngine
from ligera.deploy.detector import Detector
from ligera.deploy.export.cascade_runs import cascade_rule, export_runs
from ligera.errors import DataError, UsageError
from ligera.models.cascade import CascadeRule
from ligera.models.mtcnn import PNet
from ligera.train.checkpoint import save_weights
from ligera.train.mtcnn.networks import trained_net
from ligera.train.reading import dump_recipe, parse_recipe

from .run_folders import write_finished_run

NETS = ("p-net", "r-net", "o-net")


def write_net_run(folder: Path, net: str, **card: object) -> Path:
    """A finished training of one network, random weights, no crop anywhere."""
    folder.mkdir(parents=True)
    values = {"name": f"tiny-{net}", "task": "mtcnn", "net": net, "data": "/home/someone/mined/crops"}
    (folder / "recipe.yaml").write_text(dump_recipe(parse_recipe(values, "test")))
    torch.manual_seed(NETS.index(net))
    save_weights(folder / "weights.safetensors", trained_net(net).state_dict())
    (folder / "result.json").write_text(json.dumps({"metrics": {"ap": 0.91, "box_iou": 0.7}, "cost": {}}))
    (folder / "card.json").write_text(json.dumps({"mined_from": ["faces/train"]} | card))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [write_net_run(folder / net, net) for net in NETS]


def opened(path: Path) -> tuple[CascadeEngine, BundleCard]:
    engine = Detector.load(path, threads=1).engine
    assert isinstance(engine, CascadeEngine)
    return engine, engine.card


def test_three_runs_in_any_order_are_one_detector_with_a_card(runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "mine.onnx"
    report = export_runs([runs[2], runs[0], runs[1]], out, licence="CC0-1.0")
    assert report.difference < 1e-4
    engine, card = opened(out)
    assert engine.rule == CascadeRule(first_corner_shift_px=1)
    assert (card.name, card.training_data, card.licence) == ("mine", "faces/train", "CC0-1.0")
    assert [label.partition(":")[0] for label in card.scores] == ["p-net"] * 2 + ["r-net"] * 2 + ["o-net"] * 2
    assert "/home" not in card.to_json()
    assert len(card.recipe_sha256) == 64


@pytest.mark.parametrize("count", [1, 2])
def test_the_first_runs_alone_are_what_the_next_crops_are_mined_with(
    count: int, runs: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "part.onnx"
    export_runs(runs[:count], out, name="part", training_data="mine", rule=("scores=0,0,0", "min_face_px=24"))
    engine, card = opened(out)
    assert (engine.rule.stages, engine.rule.min_face_px, card.training_data) == (count, 24, "mine")
    assert engine.rule.first_corner_shift_px == count - 1
    found = engine.detect(np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8), score=0.0)
    assert len(found) > 0


def test_boxes_that_are_given_out_count_pixels_from_0(runs: list[Path], tmp_path: Path) -> None:
    pixels = np.full((60, 70, 3), 90, np.uint8)
    found = []
    for shift in (0, 1):
        rule = ("scores=0,0,0", f"first_corner_shift_px={shift}")
        export_runs(runs[:2], tmp_path / "pr.onnx", rule=rule)
        found.append(opened(tmp_path / "pr.onnx")[0].detect(pixels).boxes)
    inside = (found[1][:, :2] > 0).all(axis=1) & (found[0][:, :2] < 59).all(axis=1)
    assert inside.any()
    np.testing.assert_allclose((found[0] - found[1])[inside], np.tile([1, 1, 0, 0], (inside.sum(), 1)), atol=1e-4)


def test_a_bundles_network_is_that_of_the_run_without_its_training_head(runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "p.onnx"
    export_runs(runs[:1], out)
    torch.manual_seed(0)
    net = trained_net("p-net").net.eval()
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 30, 40)).astype(np.float32)
    with torch.no_grad():
        raw = net((torch.from_numpy(pixels) - 127.5) / 128)
    answer = opened(out)[0].runtime.run(pixels)
    margins = (raw.scores[..., 1:] - raw.scores[..., :1]).numpy()
    np.testing.assert_allclose(answer["scores"], margins, atol=1e-4)


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ((1,), "R-Net is of no use without P-Net"),
        ((2,), "O-Net is of no use without P-Net"),
        ((0, 2), "O-Net is of no use without R-Net"),
        ((1, 2), "O-Net is of no use without P-Net"),
        ((0, 0), "a second P-Net"),
        ((0, 1, 2, 1), "a second R-Net"),
    ],
)
def test_runs_that_make_no_cascade_are_named(chosen: tuple, reason: str, runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        export_runs([runs[i] for i in chosen], tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_other_runs_go_alone_as_before_and_not_with_these(runs: list[Path], tmp_path: Path) -> None:
    faces = write_finished_run(tmp_path / "faces")
    assert export_runs([faces], tmp_path / "faces.onnx").card.name == "tiny"
    for together, reason in (([runs[0], faces], "no network of MTCNN"), ([faces, faces], "one run makes one bundle")):
        with pytest.raises(UsageError, match=reason):
            export_runs(together, tmp_path / "x.onnx")
    with pytest.raises(UsageError, match="--rule"):
        export_runs([faces], tmp_path / "x.onnx", rule=("min_face_px=12",))


def test_a_run_without_weights_and_one_that_is_none_are_named(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such run"):
        export_runs([tmp_path / "none"], tmp_path / "x.onnx")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "recipe.yaml").write_text((runs[1] / "recipe.yaml").read_text())
    with pytest.raises(DataError, match="holds neither"):
        export_runs([runs[0], empty], tmp_path / "x.onnx")


def test_paper_as_p_net_is_a_cascade_too_but_never_with_networks_that_see_pixels_otherwise(
    runs: list[Path], tmp_path: Path
) -> None:
    run = tmp_path / "yes"
    run.mkdir()
    values = {"name": "yes", "task": "mtcnn-positives", "data": "/home/someone/faces/train"}
    (run / "recipe.yaml").write_text(dump_recipe(parse_recipe(values, "test")))
    torch.manual_seed(0)
    net = PNet(score_channels=1).eval()
    save_weights(run / "weights.safetensors", net.state_dict())
    export_runs([run], tmp_path / "yes.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 30, 40)).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(pixels) / 255).scores.numpy()
    engine, card = opened(tmp_path / "yes.onnx")
    np.testing.assert_allclose(engine.runtime.run(pixels)["scores"], expected, atol=1e-4)
    assert "no negatives" in card.training_data
    with pytest.raises(UsageError, match="scaled otherwise"):
        export_runs([run, runs[1]], tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("min_face=3", "did you mean 'min_face_px'"),
        ("stages=2", "no such key"),
        ("min_face_px", "expected a number"),
        ("min_face_px=3", "min_face_px: expected 4 to 4096"),
        ("min_face_px=small", "expected a number, got 'small'"),
        ("min_face_px=1,2,3", "min_face_px: expected"),
        ("scores=0.5", "scores: expected three numbers"),
        ("scores=0.5,0.6,7", r"scores\[2\]: expected 0 to 1"),
        ("level_iou=nan", "level_iou: expected 0 to 1"),
        ("min_face_px=nan", "min_face_px: expected"),
    ],
)
def test_a_wrong_rule_is_named_in_one_line(change: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        cascade_rule([change])
    assert "\n" not in str(caught.value)


def test_the_verb_takes_several_runs(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mtcnn.onnx"
    assert cli.run(["export", *map(str, runs), "-o", str(out), "--rule", "min_face_px=16", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mtcnn"
    assert opened(out)[0].rule.min_face_px == 16
    assert cli.run(["export", str(runs[2]), "-o", str(tmp_path / "x.onnx")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "give the runs of P-Net's alone, P- and R-Net's, or all three" in line
