"""Other makers' detectors: each decoding against hand-made raw outputs, and all of them on one real picture."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ligera.boxes import iou
from ligera.deploy.detector import Detector
from ligera.deploy.peers import PEERS, split_peer
from ligera.deploy.peers.haar import Haar
from ligera.deploy.peers.retinaface import RetinaFacePeer
from ligera.deploy.peers.scrfd import Scrfd
from ligera.deploy.peers.ultralight import UltraLight
from ligera.deploy.peers.yunet import YuNet
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.errors import MissingExtra, ModelError
from ligera.records import Detections

from .conftest import PEOPLE, REAL_DATA

FILES = {
    "yunet": "yunet_n_dynamic.onnx",
    "scrfd": "scrfd_500m_bnkps.onnx",
    "ultralight": "version-RFB-320.onnx",
    "retinaface": "retinaface_mbnet0.25.onnx",
}
PICTURE = np.zeros((64, 96, 3), np.uint8)


def level_outputs(parts: dict[str, int], anchors: int = 1) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    def zeros(batch: np.ndarray) -> dict[str, np.ndarray]:
        height, width = batch.shape[2:]
        return {
            f"{part}_{s}": np.zeros((1, height // s * (width // s) * anchors, columns), np.float32)
            for part, columns in parts.items()
            for s in (8, 16, 32)
        }

    return zeros


def test_yunet_reads_offsets_in_cells_and_multiplies_its_two_scores() -> None:
    zeros = level_outputs({"cls": 1, "obj": 1, "bbox": 4, "kps": 10})

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        raw = zeros(batch)
        row = 1 * (96 // 16) + 2
        raw["cls_16"][0, row], raw["obj_16"][0, row] = 0.9, 0.4
        raw["bbox_16"][0, row] = [0.5, 0.25, np.log(2), np.log(1)]
        raw["kps_16"][0, row] = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
        return raw

    found = YuNet(MockRuntime(answer)).detect(PICTURE)
    assert found.scores[0] == pytest.approx(0.6)
    np.testing.assert_allclose(found.boxes, [[24, 12, 56, 28]], rtol=1e-5)
    np.testing.assert_allclose(found.landmarks[0], [[32, 16], [48, 16], [40, 24], [32, 32], [48, 32]])


def test_a_yunet_of_one_size_is_fed_that_size_and_read_back() -> None:
    zeros = level_outputs({"cls": 1, "obj": 1, "bbox": 4, "kps": 10})

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        raw = zeros(batch)
        raw["cls_32"][0, 0] = raw["obj_32"][0, 0] = 1
        raw["bbox_32"][0, 0] = [1, 1, np.log(2), np.log(2)]
        return raw

    runtime = MockRuntime(answer)
    runtime.input_shape = (1, 3, 320, 320)
    found = YuNet(runtime).detect(np.zeros((40, 80, 3), np.uint8))
    assert runtime.batches[0].shape == (1, 3, 320, 320)
    np.testing.assert_allclose(found.boxes, [[0, 0, 16, 16]], atol=1e-4)


def test_scrfd_reads_distances_to_the_four_sides() -> None:
    zeros = level_outputs({"score": 1, "bbox": 4, "kps": 10}, anchors=2)

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        raw = zeros(batch)
        row = 2 * (1 * (96 // 32) + 1) + 1
        raw["score_32"][0, row] = 0.8
        raw["bbox_32"][0, row] = [0.5, 0.25, 1, 0.5]
        raw["kps_32"][0, row] = [-0.5, 0] + [0] * 8
        return raw

    found = Scrfd(MockRuntime(answer)).detect(PICTURE)
    np.testing.assert_allclose(found.boxes, [[16, 24, 64, 48]])
    np.testing.assert_allclose(found.landmarks[0, 0], [16, 32])


def test_scrfd_sees_colours_between_minus_one_and_one() -> None:
    runtime = MockRuntime(level_outputs({"score": 1, "bbox": 4, "kps": 10}, anchors=2))
    Scrfd(runtime).detect(np.full((32, 32, 3), (255, 0, 127), np.uint8))
    np.testing.assert_allclose(runtime.batches[0][0, :, 0, 0], [127.5 / 128, -127.5 / 128, -0.5 / 128])


def test_ultralight_squeezes_the_picture_and_reads_shares_of_it() -> None:
    def answer(_: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "scores": np.array([[[0.9, 0.1], [0.2, 0.8]]], np.float32),
            "boxes": np.array([[[0, 0, 1, 1], [0.25, 0.5, 0.5, 1]]], np.float32),
        }

    runtime = MockRuntime(answer)
    found = UltraLight(runtime, (240, 320)).detect(np.zeros((100, 800, 3), np.uint8))
    assert runtime.batches[0].shape == (1, 3, 240, 320)
    np.testing.assert_allclose(found.boxes, [[200, 50, 400, 100]])
    assert found.landmarks is None


def test_retinaface_tells_its_outputs_apart_by_their_columns() -> None:
    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        count = sum(2 * (batch.shape[2] // s) * (batch.shape[3] // s) for s in (8, 16, 32))
        scores = np.tile(np.array([1, 0], np.float32), (1, count, 1))
        scores[0, 0] = [0.1, 0.9]
        return {"a": np.zeros((1, count, 10)), "b": scores, "c": np.zeros((1, count, 4))}

    runtime = MockRuntime(answer)
    found = RetinaFacePeer(runtime).detect(PICTURE)
    np.testing.assert_allclose(found.boxes, [[0, 0, 12, 12]])
    np.testing.assert_allclose(runtime.batches[0][0, :, 0, 0], [-104, -117, -123])


@pytest.mark.parametrize("kind", FILES)
def test_a_model_of_another_kind_is_refused_by_name(kind: str, bundle: Path) -> None:
    with pytest.raises(ModelError, match=r"spots\.onnx: is no ") as error:
        Detector.load(f"{kind}:{bundle}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kind", "package"), [("dlib", "dlib"), ("facenet", "facenet_pytorch")])
def test_a_package_that_is_not_there_is_named_with_how_to_get_it(
    kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=f"{package}, which is not installed; run: pip install") as error:
        Detector.load(kind)
    assert error.value.exit_code == 3


def test_a_cascade_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_text("<opencv_storage></opencv_storage>")
    with pytest.raises(ModelError, match=r"bad\.xml: is no cascade"):
        Haar.load(tmp_path / "bad.xml")
    with pytest.raises(ModelError, match="no such cascade"):
        Haar.load(tmp_path / "none.xml")


def test_kinds_and_paths_are_told_apart() -> None:
    assert split_peer("yunet:/a:b/c.onnx") == ("yunet", Path("/a:b/c.onnx"))
    assert split_peer("haar") == ("haar", None)
    assert split_peer("models/yunet.onnx") is None
    assert split_peer("face") is None


def test_haar_finds_faces_in_a_photograph_and_scores_them() -> None:
    found = Detector.load("haar").detect(PEOPLE)
    assert len(found) >= 1
    assert (np.diff(found.scores) <= 0).all() and found.scores.min() > 0.5


@pytest.fixture(scope="module")
def yunet_faces() -> Detections:
    path = REAL_DATA / "weights" / "peers" / FILES["yunet"]
    if not path.is_file():
        pytest.skip(f"the peers' weights are not at {path}")
    return Detector.load(f"yunet:{path}", threads=2).detect(PEOPLE)


@pytest.mark.parametrize("kind", ["scrfd", "ultralight", "retinaface"])
def test_real_detectors_agree_on_the_large_faces_of_a_photograph(kind: str, yunet_faces: Detections) -> None:
    path = REAL_DATA / "weights" / "peers" / FILES[kind]
    found = Detector.load(f"{kind}:{path}", threads=2).detect(PEOPLE)
    large = yunet_faces.take((yunet_faces.boxes[:, 2] - yunet_faces.boxes[:, 0] > 40) & (yunet_faces.scores > 0.8))
    assert len(large) >= 2
    assert iou(large.boxes, found.boxes).max(axis=1).min() > 0.5


def test_real_landmarks_of_two_makers_have_the_same_order(yunet_faces: Detections) -> None:
    path = REAL_DATA / "weights" / "peers" / FILES["retinaface"]
    found = Detector.load(f"retinaface:{path}", threads=2).detect(PEOPLE)
    best = int(iou(yunet_faces.boxes[:1], found.boxes).argmax())
    side = yunet_faces.boxes[0, 2] - yunet_faces.boxes[0, 0]
    distance = np.linalg.norm(found.landmarks[best] - yunet_faces.landmarks[0], axis=1)
    assert distance.max() < 0.25 * side


def test_every_kind_says_what_it_is() -> None:
    assert all(peer.summary and peer.file for peer in PEERS.values())
