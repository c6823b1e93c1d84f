"""Others' RetinaFace mobilenet0.25 in our network: the proof that the architecture is the published one."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from ligera.errors import ModelError
from ligera.models.catalogue import build
from ligera.models.importing import PREPROCESS, retinaface_from_onnx
from ligera.models.preprocess import prepare

DATA = Path(__file__).parents[3] / "shared" / "data"
PEER = DATA / "weights" / "peers" / "retinaface_mbnet0.25.onnx"
needs_data = pytest.mark.skipif(not PEER.exists(), reason=f"{PEER.name} does not stand in ../shared/data/weights/peers")


def convolution_file(path, weights):
    """An ONNX file of nothing but convolutions with these weights."""
    nodes, stored = [], []
    for i, weight in enumerate(weights):
        stored += [numpy_helper.from_array(weight, f"w{i}")]
        stored += [numpy_helper.from_array(np.zeros(len(weight), np.float32), f"b{i}")]
        nodes.append(helper.make_node("Conv", [f"x{i}", f"w{i}", f"b{i}"], [f"x{i + 1}"]))
    entry = helper.make_tensor_value_info("x0", TensorProto.FLOAT, None)
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [entry], [], stored)), str(path))
    return path


@needs_data
def test_raw_outputs_equal_those_of_the_original_on_real_pictures():
    model = onnx.load(str(PEER))
    logits = next(node.input[0] for node in model.graph.node if node.op_type == "Softmax")
    model.graph.output.append(helper.make_empty_tensor_value_info(logits))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    net = retinaface_from_onnx(PEER)
    pictures = sorted((DATA / "faces" / "val" / "images").rglob("*.jpg"))
    pictures = sorted(pictures, key=lambda path: path.stat().st_size)[40::50][:3]
    assert len(pictures) == 3
    for path in pictures:
        batch, _ = prepare(cv2.imread(str(path))[:, :, ::-1], PREPROCESS)
        theirs = session.run(["loc", logits, "iou", "conf"], {"input": batch})
        with torch.no_grad():
            ours = net(torch.from_numpy(batch))
        for mine, original in zip((*ours, ours.scores.softmax(2)), theirs, strict=True):
            assert mine.shape == original.shape
            assert np.abs(mine.numpy() - original).max() <= 1e-3


@needs_data
def test_another_detector_is_refused_in_one_line():
    with pytest.raises(ModelError, match=r"yunet.*convolutions.*RetinaFace mobilenet0.25 has 56"):
        retinaface_from_onnx(PEER.with_name("yunet_n_dynamic.onnx"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere.onnx: no such file"):
        retinaface_from_onnx(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not onnx at all, but text", bytes(range(256))])
def test_a_damaged_file_is_named_in_one_line(tmp_path, content):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged.onnx") as caught:
        retinaface_from_onnx(path)
    assert "\n" not in str(caught.value)


def test_a_file_with_other_shapes_is_refused_at_the_first_that_differs(tmp_path):
    path = convolution_file(tmp_path / "wide.onnx", [np.zeros((16, 3, 3, 3), np.float32)] * 56)
    with pytest.raises(ModelError, match=r"wide.onnx: convolution 0 is \(16, 3, 3, 3\).*\(8, 3, 3, 3\) there"):
        retinaface_from_onnx(path)


def test_heads_that_cannot_be_joined_are_refused(tmp_path):
    convolutions = [m for m in build("RetinaFace-mobile0.25").modules() if isinstance(m, torch.nn.Conv2d)]
    shapes = [tuple(conv.weight.shape) for conv in convolutions[:-3]]
    shapes += [(9, 64, 1, 1)] * 9
    path = convolution_file(tmp_path / "heads.onnx", [np.zeros(s, np.float32) for s in shapes])
    with pytest.raises(ModelError, match=r"heads.onnx: box, score and landmark heads are"):
        retinaface_from_onnx(path)
