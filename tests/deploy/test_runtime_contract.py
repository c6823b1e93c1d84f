"""Every runtime on every kind of model: the same answers as ONNX Runtime gives for the file, within a tolerance.

Of TensorRT there are stand-ins for its interface (``tests/deploy/tensorrt``): the adapters are tested, not NVIDIA's
arithmetic. torch is the network that a bundle was exported from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ligera.boxes import iou
from ligera.data.pictures import read_picture
from ligera.deploy.builtin import builtin_path
from ligera.deploy.bundle import card_from_metadata
from ligera.deploy.classifying.classifier import Classifier
from ligera.deploy.detector import Detector
from ligera.deploy.engine import BundleEngine
from ligera.deploy.export.cascade import export_cascade
from ligera.deploy.export.reference import TorchReference, detector_network
from ligera.deploy.layer_audit import audit_layers
from ligera.deploy.quantization.converting import ConversionPlan, convert
from ligera.deploy.runtimes import RUNTIMES, Runtime, open_runtime
from ligera.deploy.runtimes.onnxruntime import available_providers
from ligera.errors import UsageError
from ligera.models.cascade import CascadeRule
from ligera.models.mtcnn import ONet, PNet, RNet
from ligera.records import Detections

from .cascade.cascades import card
from .colour_sets import COLOURS, ColourOf, plain
from .conftest import PEOPLE
from .tensorrt.conftest import Install, install

__all__ = ["install"]

TENSORRT = {"tensorrt 10": "10.7.0", "tensorrt 11": "11.4.1"}
OTHERS = ["torch", "openvino", "onnxruntime-sleeping", "onnxruntime-cuda", *TENSORRT]
# Runtimes add up in another order. Of int8 they round at other places besides, so that a step of a range may differ.
SCORE_TOLERANCE = {"fp32": 1e-3, "int8": 0.05}
LEAST_OVERLAP = {"fp32": 0.999, "int8": 0.85}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=OTHERS)
def runtime(request: pytest.FixtureRequest, install: Install) -> str:
    name = str(request.param)
    if name in TENSORRT:
        install(TENSORRT[name])
        return "tensorrt"
    if name == "onnxruntime-cuda" and "CUDAExecutionProvider" not in available_providers():
        pytest.skip("this onnxruntime was built without CUDA")
    if name == "openvino":
        pytest.importorskip(name, reason="needs the extra openvino")
    return name


def test_no_runtime_is_left_out() -> None:
    assert {name.partition(" ")[0] for name in OTHERS} == {*RUNTIMES, "torch"} - {"onnxruntime"}


def opened(model: str | Path, runtime: str, network: str = "") -> Runtime:
    """The bundle ``model`` in ``runtime``; in torch as the built-in detector ``network``."""
    path = builtin_path(str(model)) if isinstance(model, str) else model
    if runtime != "torch":
        return open_runtime(path, runtime=runtime, threads=1)
    return TorchReference(detector_network(network, path), path, threads=1)


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """``face-small`` with the activations that processors multiply fastest, and with those that TensorRT takes."""
    folder = tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for kind in ("u8", "s8"):
            plan = ConversionPlan("int8", calibrate=PEOPLE, activations=kind)  # type: ignore[arg-type]
            convert("face-small", folder / f"{kind}.onnx", plan)
    return {kind: folder / f"{kind}.onnx" for kind in ("u8", "s8")}


def expect_same(expected: Detections, got: Detections, precision: str) -> None:
    """Each detection well above the threshold has one of the other's at its place with nearly its score."""
    sure = expected.take(expected.scores > 0.6)
    assert len(sure) >= 4
    overlaps = iou(sure.boxes, got.boxes)
    assert overlaps.max(axis=1).min() > LEAST_OVERLAP[precision]
    assert np.abs(sure.scores - got.scores[overlaps.argmax(axis=1)]).max() < SCORE_TOLERANCE[precision]
    assert got.landmarks is not None and sure.landmarks is not None
    if precision == "fp32":
        assert len(got) == len(expected)
        np.testing.assert_allclose(got.landmarks, expected.landmarks, atol=0.05)


@pytest.mark.parametrize("name", ["face-small", "face"])
def test_detectors_find_the_same_faces(name: str, runtime: str) -> None:
    picture, other = read_picture(PEOPLE), opened(name, runtime, name)
    with (
        Detector.load(name, threads=1) as one,
        Detector(BundleEngine(other, card_from_metadata(other.metadata, name))) as two,
    ):
        expect_same(one.detect(picture), two.detect(picture), "fp32")


def test_quantised_detectors_find_the_same_faces(runtime: str, int8: dict[str, Path]) -> None:
    if runtime == "torch":
        pytest.skip("torch runs a network as it was trained")
    model = int8["s8" if runtime == "tensorrt" else "u8"]
    picture = read_picture(PEOPLE)
    with Detector.load(model, threads=1) as one, Detector.load(model, threads=1, runtime=runtime) as other:
        expect_same(one.detect(picture), other.detect(picture, score=0.4), "int8")


def test_classifiers_give_the_same_scores(runtime: str, classifier_bundle: Path) -> None:
    pictures = [plain(colour) for colour in COLOURS]
    with Classifier.load(classifier_bundle, threads=1) as one:
        expected, card = list(one.classify_many(pictures, batch=2)), one.card
    network = TorchReference(ColourOf(), classifier_bundle, threads=1) if runtime == "torch" else None
    with Classifier(network or opened(classifier_bundle, runtime), card) as other:
        for ours, theirs in zip(expected, other.classify_many(pictures, batch=2), strict=True):
            assert ours.label == theirs.label
            assert dict(theirs.scores) == pytest.approx(dict(ours.scores), abs=1e-4)


def test_a_cascade_of_three_networks_in_one_file_answers_the_same(runtime: str, tmp_path: Path) -> None:
    if runtime in ("torch", "tensorrt"):
        pytest.skip(f"{runtime} is not claimed to run three networks of one file")
    torch.manual_seed(0)
    bundle = tmp_path / "mtcnn.onnx"
    export_cascade((PNet(), RNet(), ONet()), card(), CascadeRule(), bundle)
    one, other = open_runtime(bundle, threads=1), open_runtime(bundle, runtime=runtime, threads=1)
    # the size of a batch says which of the networks it is for
    for shape in ((1, 3, 60, 91), (5, 3, 24, 24), (2, 3, 48, 48), (2, 3, 31, 40)):
        batch = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
        got = other.run(batch)
        for name, values in one.run(batch).items():
            np.testing.assert_allclose(got[name], values, atol=1e-3)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_audit_names_what_ran_in_eight_bits_and_what_did_not(
    name: str, int8: dict[str, Path], make_pixels: Callable[[], np.ndarray]
) -> None:
    pytest.importorskip(name)
    quantised = audit_layers(str(int8["u8"]), make_pixels(), runtime=name, threads=1)
    assert quantised.weighted() == {"int8": 20, "fp32": 4}
    assert quantised.shape == (1, 3, 64, 96)
    floats = audit_layers("face-small", make_pixels(), runtime=name, threads=1)
    assert floats.weighted() == {"fp32": 24} and floats.runtime == name
    for audit in (quantised, floats):
        assert sum(audit.shares().values()) == pytest.approx(1)
        assert audit.time_ms == pytest.approx(sum(layer.time_ms for layer in audit.layers))
        assert len(audit.as_dict()["layers"]) == len(audit.layers) > 24


@pytest.fixture
def make_pixels() -> Callable[[], np.ndarray]:
    return lambda: np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


def test_an_audit_of_what_is_no_bundle_or_by_an_unknown_runtime_is_refused() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(UsageError, match="haar: is no bundle; layers can be listed"):
        audit_layers("haar", pixels)
    with pytest.raises(UsageError, match="mock: does not say how it runs layers; these do: onnxruntime, openvino"):
        audit_layers("face", pixels, runtime="mock")
