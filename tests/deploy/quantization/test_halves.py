"""Weights in 16 bits."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ligera.deploy.quantization.halves import store_halves
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError

WEIGHT = np.random.default_rng(0).normal(size=(16, 16, 3, 3)).astype(np.float32)


def network(weight: np.ndarray = WEIGHT, *, in_a_branch: bool = False) -> bytes:
    stored = numpy_helper.from_array(weight, "weight")
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, ["batch", 16, "height", "width"])
    pictures = helper.make_tensor_value_info("pictures", TensorProto.FLOAT, ["batch", 16, "height", "width"])
    conv = helper.make_node("Conv", ["pictures", "weight"], ["result"], name="conv")
    graph = helper.make_graph([conv], "whole", [pictures], [result], [stored])
    if in_a_branch:
        branch = helper.make_graph([conv], "branch", [], [result], [stored])
        always = numpy_helper.from_array(np.array(True), "always")
        choice = helper.make_node("If", ["always"], ["result"], name="choice", then_branch=branch, else_branch=branch)
        graph = helper.make_graph([choice], "whole", [pictures], [result], [always])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model.SerializeToString()


def expected(weight: np.ndarray, batch: np.ndarray) -> np.ndarray:
    return torch.nn.functional.conv2d(torch.from_numpy(batch), torch.from_numpy(weight)).numpy()


@pytest.mark.parametrize("in_a_branch", [False, True])
@pytest.mark.parametrize(("precision", "kind"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_weights_are_rounded_as_torch_rounds_them(precision: str, kind: torch.dtype, in_a_branch: bool) -> None:
    batch = np.random.default_rng(1).normal(size=(1, 16, 8, 8)).astype(np.float32)
    graph = store_halves(network(in_a_branch=in_a_branch), precision, "here")
    onnx.checker.check_model(onnx.load_model_from_string(graph))
    rounded = torch.from_numpy(WEIGHT).to(kind).float().numpy()
    assert not np.array_equal(rounded, WEIGHT)
    got = OnnxRuntime(graph, threads=1).run(batch)["result"]
    np.testing.assert_allclose(got, expected(rounded, batch), rtol=1e-5, atol=1e-5)


def test_the_file_has_about_half_its_size() -> None:
    whole = network()
    assert len(store_halves(whole, "fp16", "here")) < 0.55 * len(whole)


def test_ties_and_numbers_that_float16_cannot_hold_round_as_in_bfloat16() -> None:
    values = np.array([1.00390625, 1.01171875, 3e38, -3e38, 1e-40, 0.0] * 64, np.float32).reshape(16, 24, 1, 1)
    model = onnx.load_model_from_string(store_halves(network(values[:, :16]), "bf16", "here"))
    (stored,) = model.graph.initializer
    got = numpy_helper.to_array(stored).astype(np.float32)
    wanted = torch.from_numpy(values[:, :16].copy()).to(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(got, wanted)


def test_a_weight_beyond_float16_is_named() -> None:
    with pytest.raises(ModelError, match="here: its weight 'weight' has values beyond float16; choose bf16"):
        store_halves(network(WEIGHT * 1e6), "fp16", "here")
