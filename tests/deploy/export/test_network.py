"""What ONNX Runtime runs is what torch trained, or nothing is written."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from ligera.deploy.bundle import BundleCard, card_from_metadata
from ligera.deploy.export.network import (
    PARITY_TOLERANCE,
    export_bundle,
    export_classifier,
    fold_scale,
    largest_difference,
    to_onnx,
    traced,
)
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import MissingExtra, ModelError
from ligera.models.catalogue import build, find
from ligera.models.classifiers import build_classifier
from ligera.models.retinaface import RawOutputs
from ligera.records import Decoding, Preprocess

from ..colour_sets import SIDE_PX, ColourOf, colours_card
from ..conftest import BrightSpots, spots_card


@pytest.mark.parametrize("name", ["face-small", "RetinaFace-mobile0.25"])
def test_a_catalogue_net_gives_the_same_in_torch_and_onnx_runtime(name: str, tmp_path: Path) -> None:
    network, priors = build(name), find(name).priors
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
    card = BundleCard(name, Preprocess(scale=(1 / 255,) * 3), Decoding(priors))
    report = export_bundle(network, card, tmp_path / "net.onnx")
    assert 0 <= report.difference <= PARITY_TOLERANCE
    assert report.size_bytes == (tmp_path / "net.onnx").stat().st_size


def test_one_file_takes_any_batch_and_size(bundle: Path) -> None:
    runtime = OnnxRuntime(bundle)
    for batch, height, width in ((1, 32, 32), (3, 64, 160), (2, 480, 96)):
        out = runtime.run(np.zeros((batch, 3, height, width), np.float32))
        cells = (height // 32) * (width // 32)
        assert {name: value.shape for name, value in out.items()} == {
            "boxes": (batch, cells, 4),
            "scores": (batch, cells, 1),
            "landmarks": (batch, cells, 10),
        }


def test_the_scale_moves_into_the_first_convolution(bundle: Path) -> None:
    runtime = OnnxRuntime(bundle)
    card = card_from_metadata(runtime.metadata, "spots")
    assert card.preprocess.scale == (1.0, 1.0, 1.0)
    pixels = np.full((1, 3, 32, 32), 255, np.float32)
    assert runtime.run(pixels)["scores"] == pytest.approx(10.0, abs=1e-4)


def test_a_mean_keeps_the_scale_outside_because_padding_is_zero() -> None:
    graph = to_onnx(BrightSpots())
    rule = Preprocess(mean=(127.5,) * 3, scale=(1 / 128,) * 3)
    assert fold_scale(graph, rule) == (graph, rule)


def test_a_different_scale_for_each_channel_folds_exactly() -> None:
    network = BrightSpots()
    rule = Preprocess(scale=(1 / 255, 1 / 100, 1 / 50))
    graph, folded = fold_scale(to_onnx(network), rule)
    assert folded == Preprocess()
    assert largest_difference(network, rule, graph, folded) <= PARITY_TOLERANCE


class FrozenAtExport(nn.Module):
    """Multiplies by a number of Python's, which tracing turns into a constant of one input."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = BrightSpots()

    def forward(self, pictures: Tensor) -> RawOutputs:
        boxes, scores, landmarks = self.inside(pictures)
        return RawOutputs(boxes, scores * (1 + float(pictures.mean())), landmarks)


def test_a_network_that_onnx_cannot_say_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"old")
    with pytest.raises(ModelError, match=r"a\.onnx: not written, ONNX Runtime and torch differ by"):
        export_bundle(FrozenAtExport(), spots_card(), tmp_path / "a.onnx")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.onnx", b"old")]


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    network = BrightSpots()
    nn.init.constant_(network.grey.weight, float("nan"))
    with pytest.raises(ModelError, match="differ by nan"):
        export_bundle(network, spots_card(), tmp_path / "a.onnx")


class Sum(nn.Module):
    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other


def test_a_graph_has_the_inputs_outputs_and_free_sides_that_were_asked_for() -> None:
    axes = {name: {0: "count"} for name in ("one", "other", "sum")}
    graph = onnx.load_model_from_string(traced(Sum(), {"one": (2, 3), "other": (2, 3)}, ("sum",), axes)).graph
    sides = {value.name: value.type.tensor_type.shape.dim for value in (*graph.input, *graph.output)}
    assert {name: [side.dim_param or side.dim_value for side in own] for name, own in sides.items()} == {
        name: ["count", 3] for name in ("one", "other", "sum")
    }


@pytest.mark.parametrize("package", ["torch", "onnx"])
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = BrightSpots()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"exporting a network needs {package}, .*ligera\[train\]"):
        to_onnx(network)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_comes_back_in_the_mode_it_came_in(training: bool, tmp_path: Path) -> None:
    network = BrightSpots().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export_bundle(network, spots_card(), tmp_path / "a.onnx")
    assert network.training is training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["conv14", "mobilenetv3_small_050"])
def test_a_classifier_gives_the_same_in_torch_and_onnx_runtime(name: str, tmp_path: Path) -> None:
    rule = Preprocess(mean=(120.0, 110.0, 100.0), scale=(1 / 60,) * 3, multiple=1, fixed=(32, 32), crop=True)
    labels = tuple(f"class {number}" for number in range(7))
    card = BundleCard(name, rule, task="classify", labels=labels)
    report = export_classifier(build_classifier(name, 7), card, tmp_path / "net.onnx")
    assert 0 <= report.difference <= PARITY_TOLERANCE
    assert report.card.preprocess == rule
    runtime = OnnxRuntime(tmp_path / "net.onnx")
    assert runtime.input_shape == (None, 3, 32, 32)
    assert runtime.run(np.zeros((5, 3, 32, 32), np.float32))["logits"].shape == (5, 7)


def test_a_classifiers_scale_moves_into_its_first_convolution_where_there_is_no_mean(tmp_path: Path) -> None:
    rule = Preprocess(scale=(1 / 255,) * 3, multiple=1, fixed=(SIDE_PX, SIDE_PX))
    report = export_classifier(ColourOf(), colours_card(preprocess=rule), tmp_path / "a.onnx")
    assert report.card.preprocess.scale == (1.0, 1.0, 1.0)
    white = np.full((1, 3, SIDE_PX, SIDE_PX), 255, np.float32)
    expected = ColourOf()(torch.ones(1, 3, SIDE_PX, SIDE_PX)).detach().numpy()
    np.testing.assert_allclose(OnnxRuntime(tmp_path / "a.onnx").run(white)["logits"], expected, atol=1e-5)


class BatchFrozen(ColourOf):
    """Writes the batch it was traced with into the graph."""

    def forward(self, pictures: Tensor) -> Tensor:
        return self.mix(pictures).reshape(int(pictures.shape[0]), 3, -1).mean(2)


class NumberFrozen(ColourOf):
    """Writes what it saw while it was traced into the graph."""

    def forward(self, pictures: Tensor) -> Tensor:
        return super().forward(pictures) + float(pictures.mean())


class TwoHeads(ColourOf):
    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(pictures), pictures.mean((2, 3))


@pytest.mark.parametrize(
    ("network", "changes", "reason"),
    [
        (BatchFrozen(), {}, r"gives {'logits': \(2, 3\)}, its card expects"),
        (NumberFrozen(), {}, "ONNX Runtime and torch differ by"),
        (ColourOf(), {"labels": ("red", "green")}, "its card expects logits"),
        (TwoHeads(), {}, "its card expects logits"),
    ],
)
def test_a_classifier_that_does_not_keep_its_cards_word_is_refused(
    network: nn.Module, changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=reason) as raised:
        export_classifier(network, colours_card(**changes), tmp_path / "a.onnx")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("training", [True, False])
def test_a_classifier_comes_back_in_the_mode_it_came_in(training: bool, tmp_path: Path) -> None:
    network = ColourOf().train(training)
    export_classifier(network, colours_card(), tmp_path / "a.onnx")
    assert network.training is training
