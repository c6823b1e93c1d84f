"""What the quantiser is told of a graph: layers, what belongs to them, and where heads begin."""

import onnx
import pytest

from ligera.deploy.quantization.graph import layers_of, prepare_graph, tail_of
from ligera.errors import ModelError


def prepared(graph: bytes) -> onnx.ModelProto:
    return onnx.load_model_from_string(prepare_graph(graph, "here"))


def test_each_convolution_is_a_layer_and_its_relu_belongs_to_it(face_small: bytes) -> None:
    model = prepared(face_small)
    layers = layers_of(model)
    kinds = {node.name: node.op_type for node in model.graph.node}
    assert len(layers) == sum(kind == "Conv" for kind in kinds.values()) == 24
    assert all([kinds[name] for name in layer.nodes] in (["Conv"], ["Conv", "Relu"]) for layer in layers)
    assert sum(len(layer.nodes) == 2 for layer in layers) == 20


def test_the_heads_of_a_detector_are_its_last_layers(face_small: bytes) -> None:
    model = prepared(face_small)
    heads = [layer.name for layer in layers_of(model) if layer.is_head]
    assert len(heads) == 4 and all("heads" in name for name in heads)
    kinds = {node.op_type for node in model.graph.node if node.name in tail_of(model)}
    assert "Concat" in kinds and "Resize" not in kinds


def test_every_node_has_a_name_of_its_own(face_small: bytes) -> None:
    bare = onnx.load_model_from_string(face_small)
    for node in bare.graph.node:
        node.name = "same"
    names = [node.name for node in prepared(bare.SerializeToString()).graph.node]
    assert len(names) == len(set(names)) and all(names)


def test_what_is_no_graph_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="here: cannot be prepared for quantising") as error:
        prepare_graph(b"\x08\x08nothing", "here")
    assert "\n" not in str(error.value)
    assert capfd.readouterr().out == ""
