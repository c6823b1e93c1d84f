"""A graph in float16: the same network, nearly the same answers, its input and outputs as they were."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from ligera.deploy.quantization.half_arithmetic import compute_in_halves
from ligera.deploy.quantization.halves import store_halves
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError


@pytest.mark.parametrize("stored", [False, True])
def test_every_weight_is_a_half_and_the_answers_are_nearly_the_same(stored: bool, face_small: bytes) -> None:
    graph = store_halves(face_small, "fp16", "x") if stored else face_small
    halves = compute_in_halves(graph, "x")
    kinds = Counter(tensor.data_type for tensor in onnx.load_model_from_string(halves).graph.initializer)
    assert kinds[onnx.TensorProto.FLOAT16] > 40 and not kinds[onnx.TensorProto.FLOAT]
    batch = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 96)).astype(np.float32)
    before, after = OnnxRuntime(face_small, threads=1), OnnxRuntime(halves, threads=1)
    assert after.metadata == before.metadata
    for name, values in before.run(batch).items():
        found = after.run(batch)[name]
        assert found.dtype == np.float32 and 0 < np.abs(found - values).max() < 0.05


def test_what_is_no_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="odd: cannot be brought to float16 arithmetic"):
        compute_in_halves(onnx.ModelProto().SerializeToString(), "odd")
