"""What ONNX Runtime runs is what torch trained, or nothing is written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ligera.deploy.bundle import BundleCard, card_from_metadata
from ligera.deploy.export import PARITY_TOLERANCE, export_bundle, fold_scale, largest_difference, to_onnx
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError
from ligera.models.catalogue import build, find
from ligera.models.retinaface import RawOutputs
from ligera.records import Decoding, Preprocess

from .conftest import BrightSpots, spots_card


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


@pytest.mark.parametrize("training", [True, False])
def test_the_network_comes_back_in_the_mode_it_came_in(training: bool, tmp_path: Path) -> None:
    network = BrightSpots().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export_bundle(network, spots_card(), tmp_path / "a.onnx")
    assert network.training is training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
