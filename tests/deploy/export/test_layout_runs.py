"""A training run of a layout detector -> a bundle that finds what torch finds."""

import json
from pathlib import Path

import pytest
import torch

from ligera.deploy.detector import Detector
from ligera.deploy.export.checkpoints import export_run, load_run
from ligera.errors import DataError, ModelError
from ligera.files import write_bytes
from ligera.train.checkpoint import save_weights
from ligera.train.reading import dump_recipe, parse_recipe
from ligera.train.regions.finding import find_regions, with_outlines
from ligera.train.regions.task import spec_for

from ..layout.pages import LABELS, drawn_page

METRICS = {"epoch": 3, "ap50_mask": 0.75, "ap_box_staff": 0.5, "loss_masks": 0.1, "memory_error": -0.2}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as training leaves it, with weights that nobody trained."""
    from ligera.models.maskrcnn import build_maskrcnn

    torch.manual_seed(0)
    values = {"name": "pages", "task": "regions", "model": "layout-small", "data": "sets/train", "side_px": 256}
    recipe = parse_recipe(values | {"validation": "sets/val"}, "test")
    folder = tmp_path / "run"
    folder.mkdir()
    write_bytes(folder / "recipe.yaml", dump_recipe(recipe).encode())
    write_bytes(folder / "card.json", json.dumps({"labels": list(LABELS)}).encode())
    write_bytes(folder / "result.json", json.dumps({"metrics": METRICS, "closing": {}}).encode())
    save_weights(folder / "weights.safetensors", build_maskrcnn(spec_for("layout-small", 256, 3)).state_dict())
    return folder


def test_a_run_becomes_a_bundle_that_finds_what_torch_finds(run: Path, tmp_path: Path) -> None:
    report = export_run(run, tmp_path / "layout.onnx")
    card = report.card
    assert (card.name, card.task, card.labels, card.preprocess.max_side) == ("pages", "detect-regions", LABELS, 256)
    assert card.scores == {
        "AP50 masks on sets/val (COCO, 256 px)": 0.75,
        "AP boxes of staff on sets/val (COCO, 256 px)": 0.5,
    }
    assert card.training_data == "sets/train"
    pixels = drawn_page()[0]
    trained = load_run(run)
    theirs, masks = find_regions(trained.network, pixels, LABELS, 0.3)
    ours = Detector.load(tmp_path / "layout.onnx", threads=1).detect(pixels, score=0.3)
    assert len(ours) == len(theirs) > 0
    torch.testing.assert_close(torch.tensor(ours.scores), torch.tensor(theirs.scores), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.tensor(ours.boxes), torch.tensor(theirs.boxes), atol=0.01, rtol=1e-4)
    assert len(with_outlines(theirs, masks).polygons) == len(ours.polygons)


def test_a_run_without_its_classes_is_named(run: Path, tmp_path: Path) -> None:
    (run / "card.json").unlink()
    with pytest.raises(DataError, match="names the classes"):
        export_run(run, tmp_path / "layout.onnx")


@pytest.mark.parametrize("content", ["", "[]", '{"labels": []}', '{"labels": [1]}', '{"labels": "staff"}'])
def test_a_damaged_card_is_named(run: Path, tmp_path: Path, content: str) -> None:
    (run / "card.json").write_text(content)
    with pytest.raises(DataError, match=r"card\.json: damaged") as caught:
        export_run(run, tmp_path / "layout.onnx")
    assert "\n" not in str(caught.value)


def test_weights_of_other_classes_are_refused(run: Path, tmp_path: Path) -> None:
    (run / "card.json").write_text('{"labels": ["staff", "lyrics"]}')
    with pytest.raises(ModelError, match="weights are not those"):
        export_run(run, tmp_path / "layout.onnx")
