"""Padding in the manner of TensorFlow: moved into convolutions exactly, left alone where it cannot be."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from timm.layers import create_conv2d
from torch import Tensor, nn

from ligera.deploy.export.network import export_classifier
from ligera.deploy.export.padding import settle_padding
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime

from ..colour_sets import colours_card


class Same(nn.Module):
    """Two convolutions of stride 2 with "same" padding, which at an even side adds a row at the bottom alone."""

    def __init__(self, twice: bool = False) -> None:
        super().__init__()
        self.first, self.second = (create_conv2d(n, 4, 3, stride=2, padding="same") for n in (3, 4))
        self.twice = twice

    def forward(self, pictures: Tensor) -> Tensor:
        padded = nn.functional.pad(pictures, (0, 1, 0, 1), value=1.0) if self.twice else pictures
        return self.second(self.first(padded).relu()).mean((2, 3))


class SameColours(nn.Module):
    """Three logits behind such a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = create_conv2d(3, 3, 3, stride=2, padding="same")

    def forward(self, pictures: Tensor) -> Tensor:
        return self.first(pictures).mean((2, 3))


def traced(network: nn.Module, free: bool = False) -> bytes:
    torch.manual_seed(0)
    buffer = io.BytesIO()
    axes = {0: "batch"} | ({2: "height", 3: "width"} if free else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, 30, 40),),
            buffer,
            dynamo=False,
            opset_version=17,
            input_names=["pictures"],
            output_names=["logits"],
            dynamic_axes={"pictures": axes, "logits": {0: "batch"}},
        )
    return buffer.getvalue()


def kinds(graph: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_model_from_string(graph).graph.node)


def answers(graph: bytes) -> np.ndarray:
    batch = np.random.default_rng(0).normal(size=(2, 3, 30, 40)).astype(np.float32)
    return OnnxRuntime(graph, threads=1).run(batch)["logits"]


def test_padding_becomes_part_of_the_convolution_and_changes_no_answer() -> None:
    graph = traced(Same())
    settled = settle_padding(graph)
    assert kinds(graph)["Pad"] == 2 and not kinds(settled).keys() & {"Pad", "Shape", "Gather"}
    np.testing.assert_allclose(answers(settled), answers(graph), rtol=1e-6)
    assert settle_padding(settled) == settled


def test_an_exported_classifier_has_no_padding_left(tmp_path: Path) -> None:
    report = export_classifier(SameColours(), colours_card(), tmp_path / "a.onnx")
    assert not kinds(report.path.read_bytes()).keys() & {"Pad", "Shape", "Gather"}


def test_padding_with_anything_but_zeros_stays() -> None:
    graph = traced(Same(twice=True))
    settled = settle_padding(graph)
    assert kinds(settled)["Pad"] >= 1
    np.testing.assert_allclose(answers(settled), answers(graph), rtol=1e-6)


def test_a_free_size_leaves_the_graph_as_it_was() -> None:
    graph = traced(Same(), free=True)
    assert settle_padding(graph) == graph


class Padded(nn.Module):
    """A convolution behind a padding of ``sides``, the last axis first."""

    def __init__(self, sides: tuple[int, ...]) -> None:
        super().__init__()
        self.sides = sides
        self.last = nn.Conv2d(4 if len(sides) > 4 else 3, 4, 3)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.last(nn.functional.pad(pictures, self.sides)).mean((2, 3))


@pytest.mark.parametrize("sides", [(0, 0, 0, 0, 0, 1), (-1, 0, 0, 1)])
def test_more_channels_or_fewer_columns_are_no_padding_of_a_convolution(sides: tuple[int, ...]) -> None:
    graph = traced(Padded(sides))
    np.testing.assert_allclose(answers(settle_padding(graph)), answers(graph), rtol=1e-5)
