"""Mask R-CNN -> bundle: checked against torch, small where asked, and nothing is written when it is wrong."""

from dataclasses import replace

import onnx
import pytest
import torch
from torch import nn

from ligera.deploy.bundle import card_from_metadata
from ligera.deploy.export.layout import card_of, export_layout
from ligera.deploy.layout.engine import layout_from_metadata
from ligera.deploy.layout.weights import halve_weights
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError
from ligera.models.maskrcnn import build_maskrcnn

from ..layout.pages import LABELS, drawn_page, engine_of, tiny_spec


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build_maskrcnn(tiny_spec())


def test_a_bundle_says_what_it_is_and_how_its_regions_decode(net, tmp_path):
    path = tmp_path / "new" / "layout.onnx"
    report = export_layout(net, card_of(net.spec, "pages", LABELS), path, score=0.6)
    opened = OnnxRuntime(path)
    card = card_from_metadata(opened.metadata, "x")
    assert card == report.card
    assert (card.name, card.labels, card.preprocess) == ("pages", LABELS, net.spec.preprocess)
    assert len(card.graph_sha256) == 64
    assert layout_from_metadata(opened.metadata, "x") == report.rule == replace(net.spec.decoding, score_threshold=0.6)
    assert report.size_bytes == path.stat().st_size
    assert report.difference == report.stored_difference < 1e-4
    assert [file.name for file in path.parent.iterdir()] == ["layout.onnx"]


def test_the_network_trains_on_as_before(net, tmp_path):
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    export_layout(net, card_of(net.spec, "pages", LABELS), tmp_path / "layout.onnx")
    assert net.training
    assert net.backbone.body.stem[0][1].training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_same_network_makes_the_same_file(net, tmp_path):
    card = card_of(net.spec, "pages", LABELS)
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        export_layout(net, card, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_weights_in_16_bits_halve_the_file_and_change_little(net, tmp_path):
    card, pixels = card_of(net.spec, "pages", LABELS), drawn_page()[0]
    full = export_layout(net, card, tmp_path / "full.onnx")
    half = export_layout(net, card, tmp_path / "half.onnx", half_weights=True)
    assert half.size_bytes < 0.65 * full.size_bytes
    assert half.difference == full.difference < half.stored_difference < 5e-3
    outputs = [engine_of(report.path).regions(pixels, score=0.0) for report in (full, half)]
    assert outputs[0].scores[:10] == pytest.approx(outputs[1].scores[:10], abs=0.02)


def test_a_network_that_onnx_says_differently_is_not_written(net, tmp_path):
    class TwoFaced(nn.Module):
        def forward(self, x):
            return x * (2 if torch.jit.is_tracing() else 1)

    net.backbone.body.stem.append(TwoFaced())
    with pytest.raises(ModelError, match="not written, ONNX Runtime and torch differ by"):
        export_layout(net, card_of(net.spec, "pages", LABELS), tmp_path / "layout.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_nans_is_not_written(net, tmp_path):
    nn.init.constant_(net.roi_heads.box_head.fc6.bias, float("nan"))
    with pytest.raises(ModelError, match="differ by nan"):
        export_layout(net, card_of(net.spec, "pages", LABELS), tmp_path / "layout.onnx")


def test_labels_are_as_many_as_the_classes():
    with pytest.raises(ModelError, match="pages: expected 3 labels, as the network has classes, got 2"):
        card_of(tiny_spec(), "pages", LABELS[:2])


def test_pools_that_cannot_be_told_apart_are_refused(tmp_path):
    spec = tiny_spec()
    spec = replace(spec, decoding=replace(spec.decoding, box_pool=14))
    with pytest.raises(ModelError, match="change a pooling"):
        export_layout(build_maskrcnn(spec), card_of(spec, "pages", LABELS), tmp_path / "layout.onnx")


def test_a_weight_beyond_float16_stays_in_32_bits_by_an_error():
    numbers = onnx.TensorProto
    weight = onnx.helper.make_tensor("w", numbers.FLOAT, [300], [1e6] * 300)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", numbers.FLOAT, [300])],
        [onnx.helper.make_tensor_value_info("y", numbers.FLOAT, [300])],
        [weight],
    )
    with pytest.raises(ModelError, match="the weight 'w' has values beyond float16"):
        halve_weights(onnx.helper.make_model(graph).SerializeToString())
