"""Three graphs in one file: each input reaches its own."""

import numpy as np
import onnx
import pytest

from ligera.deploy.layout.joining import OUTPUTS, Part, join_parts
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError


def adding(name, number, output, weight="w"):
    """A graph whose ``output`` is its input plus ``number``; all of them call their weight the same."""
    helper, numbers = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Add", ["input", weight], [output])],
        name,
        [helper.make_tensor_value_info("input", numbers.FLOAT, [None] * 4)],
        [helper.make_tensor_value_info(output, numbers.FLOAT, [None] * 4)],
        [helper.make_tensor(weight, numbers.FLOAT, [1], [number])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@pytest.fixture(scope="module")
def joined():
    parts = [
        Part("front", 3, adding("front", 1.0, "p0")),
        Part("boxes", 7, adding("boxes", 2.0, "p1")),
        Part("masks", 14, adding("masks", 3.0, "masks")),
    ]
    return OnnxRuntime(join_parts(parts), threads=1)


@pytest.mark.parametrize(
    ("shape", "output", "number"),
    [((1, 3, 5, 6), "p0", 1), ((4, 7, 7, 2), "p1", 2), ((2, 14, 14, 2), "masks", 3), ((1, 3, 7, 14), "p0", 1)],
)
def test_the_second_side_says_which_part_reads_an_input(joined, shape, output, number):
    outputs = joined.run(np.zeros(shape, np.float32))
    assert list(outputs) == list(OUTPUTS)
    assert (outputs[output] == number).all()
    assert outputs[output].shape == shape
    for name, sides in OUTPUTS.items():
        assert name == output or outputs[name].shape == (0,) * sides


def test_parts_that_cannot_be_told_apart_are_refused():
    graph = adding("x", 1.0, "p0")
    with pytest.raises(ModelError, match="different sides, got front 3, boxes 7, masks 7"):
        join_parts([Part("front", 3, graph), Part("boxes", 7, graph), Part("masks", 7, graph)])
