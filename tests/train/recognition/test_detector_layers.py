from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import ligera.models
from ligera.deploy.export.recognizer import trace_base
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import ModelError
from ligera.train.recognition.bases import load_base
from ligera.train.recognition.detector_layers import DetectorLayers

FACE = Path(ligera.models.__path__[0]) / "weights" / "face.onnx"


def test_its_layers_say_what_the_detectors_own_file_says() -> None:
    layers = DetectorLayers(FACE).eval()
    model = onnx.load(FACE)
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(layers.output))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 96, 64)).astype(np.float32)
    expected = OnnxRuntime(model.SerializeToString(), threads=1).run(pixels)[layers.output]
    with torch.no_grad():
        found = layers(torch.from_numpy(pixels)).numpy()
    assert found.shape[2:] == (12, 8) and expected.std() > 0
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize(("reading", "places"), [("places", 64), ("pooled", 1)])
def test_as_a_base_it_gives_cells_with_gradients(reading: str, places: int) -> None:
    base = load_base("face", None, reading)  # type: ignore[arg-type]
    found = OnnxRuntime(trace_base(base, 64), threads=1).run(np.zeros((1, 3, 64, 64), np.float32))["features"]
    assert found.shape[1] % (9 * places) != 0 and found.shape[1] % places == 0
    assert "built-in detector" in base.source


@pytest.mark.parametrize(
    ("kind", "stride", "reason"),
    [
        ("Conv", 2, "has no layers of stride 16"),
        ("Sigmoid", 1, "its layer Sigmoid"),
        ("Conv", 16, "has no layers of stride 8"),
    ],
)
def test_a_file_of_other_layers_is_refused(kind: str, stride: int, reason: str, tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    shape = ["b", 1, "h", "w"]
    options = {"strides": [stride, stride]} if kind == "Conv" else {}
    node = onnx.helper.make_node(kind, ["x", "w"] if kind == "Conv" else ["x"], ["y"], **options)
    weight = onnx.numpy_helper.from_array(np.ones((1, 1, 1, 1), np.float32), "w")
    ends = ([value(name, onnx.TensorProto.FLOAT, shape)] for name in "xy")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", *ends, [weight])), tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=reason):
        DetectorLayers(tmp_path / "other.onnx")
