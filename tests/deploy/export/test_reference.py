"""The torch network of a bundle: the same answers as the bundle gives, in the steps of a runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ligera.deploy.builtin import builtin_path
from ligera.deploy.export.reference import TorchReference, detector_network, recognition_network
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError
from ligera.train.recognition.bases import load_base


@pytest.fixture(scope="module")
def reference() -> TorchReference:
    path = builtin_path("face-small")
    return TorchReference(detector_network("face-small", path), path, threads=1)


def test_a_bundle_s_weights_answer_in_torch_as_in_onnx_runtime(reference: TorchReference) -> None:
    batch = np.random.default_rng(1).integers(0, 256, (2, 3, 64, 96)).astype(np.float32)
    expected = OnnxRuntime(builtin_path("face-small"), threads=1)
    got = reference.run(batch)
    for name, values in expected.run(batch).items():
        np.testing.assert_allclose(got[name], values, atol=1e-4)
    assert reference.metadata == expected.metadata and reference.output_shapes == expected.output_shapes


def test_a_bundle_of_another_network_is_refused() -> None:
    with pytest.raises(ModelError, match="its convolutions are not those of the network"):
        detector_network("face", builtin_path("face-small"))


def test_a_batch_that_the_network_does_not_take_is_refused_in_one_line(reference: TorchReference) -> None:
    with pytest.raises(ModelError, match=r"cannot run a .*float32 input of shape") as error:
        reference.run(np.zeros((1, 4, 32, 32), np.float32))
    assert "\n" not in str(error.value)


def test_a_head_goes_on_a_base_of_recognition(tmp_path: Path) -> None:
    base = load_base("gradients", None, "pooled")
    pictures = torch.rand(2, 3, 64, 64) * 255
    with torch.inference_mode():
        features = base.network(pictures)
        weight = np.random.default_rng(0).random((2, features.shape[1]), np.float32)
        logits = recognition_network(base, weight, np.array([1, 2], np.float32))(pictures)
    assert isinstance(base.network, nn.Module)
    np.testing.assert_allclose(logits.numpy(), features.numpy() @ weight.T + [1, 2], rtol=1e-4)
