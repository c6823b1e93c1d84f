"""The quantised graph itself: which numbers are stored how, and what it answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ligera.deploy.bundle import card_from_metadata
from ligera.deploy.quantization.calibration import Ranges, choose_pictures, ranges_of
from ligera.deploy.quantization.graph import layers_of, prepare_graph
from ligera.deploy.quantization.int8 import quantise, take_bytes
from ligera.deploy.quantization.sensitivity import rank_layers
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.models.preprocess import prepare
from ligera.records import Preprocess

from .conftest import people


@pytest.fixture
def graph(face_small: bytes) -> bytes:
    return prepare_graph(face_small, "face-small")


@pytest.fixture
def ranges(graph: bytes, photos: Path, face_small: bytes) -> Ranges:
    card = card_from_metadata(OnnxRuntime(face_small, threads=1).metadata, "face-small")
    return {**ranges_of(graph, card, choose_pictures(photos)), "pictures": (0.0, 255.0)}


def names_of_layers(graph: bytes) -> list[str]:
    return [layer.name for layer in layers_of(onnx.load_model_from_string(graph))]


def zero_points(graph: bytes) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Those of weights and those of activations."""
    model = onnx.load_model_from_string(graph)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    weights, activations = [], []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear":
            place = weights if node.input[0] in constants else activations
            place.append(constants[node.input[2]])
    return [zero for zero in weights if zero.dtype != np.int32], activations


def inputs() -> list[np.ndarray]:
    return [prepare(people(), Preprocess())[0]]


def error(graph: bytes, other: bytes, batch: np.ndarray) -> float:
    ours, theirs = (OnnxRuntime(one, threads=1).run(batch) for one in (graph, other))
    return max(float(np.abs(ours[name] - theirs[name]).mean() / np.abs(ours[name]).mean()) for name in ours)


def test_weights_are_signed_for_each_channel_and_activations_unsigned(graph: bytes, ranges: Ranges) -> None:
    weights, activations = zero_points(quantise(graph, ranges))
    assert len(weights) == 24
    assert all(zero.dtype == np.int8 and zero.ndim == 1 and not zero.any() for zero in weights)
    assert all(zero.dtype == np.uint8 and zero.shape == () for zero in activations)


def test_for_tensorrt_activations_are_signed_and_symmetric(graph: bytes, ranges: Ranges) -> None:
    _, activations = zero_points(quantise(graph, ranges, activations="s8"))
    assert all(zero.dtype == np.int8 and zero == 0 for zero in activations)


def test_layers_kept_in_float_keep_their_weights_as_they_are(graph: bytes, ranges: Ranges) -> None:
    names = names_of_layers(graph)
    kept = quantise(graph, ranges, kept_float=names[3:8])
    assert len(zero_points(kept)[0]) == 24 - 5
    alone = quantise(graph, ranges, only=names[:1])
    assert len(zero_points(alone)[0]) == 1


def test_the_answers_are_near_and_nearer_with_float_heads(graph: bytes, ranges: Ranges) -> None:
    heads = [name for name in names_of_layers(graph) if "heads" in name]
    (batch,) = inputs()
    whole = error(graph, quantise(graph, ranges), batch)
    with_heads = error(graph, quantise(graph, ranges, kept_float=heads), batch)
    nothing = error(graph, quantise(graph, ranges, only=()), batch)
    assert nothing < 1e-6 < with_heads < whole < 0.5
    assert with_heads < 0.2


def test_quantising_the_same_twice_gives_the_same_bytes(graph: bytes, ranges: Ranges) -> None:
    assert quantise(graph, ranges) == quantise(graph, ranges)


def test_a_graph_that_takes_bytes_answers_the_same(graph: bytes, ranges: Ranges) -> None:
    floats = quantise(graph, ranges)
    whole = take_bytes(floats)
    assert whole is not None
    (batch,) = inputs()
    wanted = OnnxRuntime(floats, threads=1).run(batch)
    for name, values in OnnxRuntime(whole, threads=1).run(batch.astype(np.uint8)).items():
        np.testing.assert_array_equal(values, wanted[name])


def test_a_graph_takes_no_bytes_where_a_step_is_no_pixel_value(graph: bytes, ranges: Ranges) -> None:
    assert take_bytes(quantise(graph, {**ranges, "pictures": (0.0, 200.0)})) is None
    assert take_bytes(quantise(graph, {**ranges, "pictures": (-1.0, 254.0)})) is None
    stem = names_of_layers(graph)[0]
    assert take_bytes(quantise(graph, ranges, kept_float=[stem])) is None


def test_the_layers_that_touch_the_worst_range_are_ranked_first(graph: bytes, ranges: Ranges) -> None:
    model = onnx.load_model_from_string(graph)
    layers = layers_of(model)
    giver = next(layer for layer in layers if "stages.1.0/body/body.1" in layer.name)
    tensor = next(node for node in model.graph.node if node.name == giver.nodes[-1]).output[0]
    readers = {node.name for node in model.graph.node if tensor in node.input}
    # as if a stray value had stretched the range: all others fall into one step
    ranked = rank_layers(graph, {**ranges, tensor: (0.0, 1e6)}, inputs())
    assert {one.layer for one in ranked[: 1 + len(readers)]} == {giver.name, *readers}
    assert {one.layer for one in ranked} == {layer.name for layer in layers}
    assert [one.error for one in ranked] == sorted((one.error for one in ranked), reverse=True)
