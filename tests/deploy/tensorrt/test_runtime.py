"""TensorRT 10 and 11 against stand-ins of their interface: the same answers, precisions, caches, errors in one line."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from ligera import cli
from ligera.data.pictures import read_picture
from ligera.deploy.detector import Detector
from ligera.deploy.layer_audit import audit_layers
from ligera.deploy.quantization.converting import ConversionPlan, convert
from ligera.deploy.runtimes import open_runtime
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.deploy.runtimes.tensorrt import TensorRtRuntime
from ligera.deploy.runtimes.tensorrt_plan import TensorRtOptions
from ligera.errors import LigeraError, MissingExtra, ModelError, UsageError

from ..conftest import PEOPLE
from .conftest import Install
from .fake_cuda import FakeCuda

VERSIONS = ("10.7.0", "11.4.1")
# BuilderFlag and IBuilderConfig members that NVIDIA lists as removed, and the calibrators.
GONE_IN_11 = {"FP16", "BF16", "INT8", "int8_calibrator", "set_calibration_profile", "platform_has_fast_fp16"}
GONE_IN_11 |= {"platform_has_fast_int8", "IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator"}


def batch(height: int = 64, width: int = 96) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (1, 3, height, width)).astype(np.float32)


def int8_bundle(model: Path, activations: str) -> Path:
    out = model.with_name(f"int8-{activations}.onnx")
    convert(model, out, ConversionPlan("int8", calibrate=PEOPLE, activations=activations))  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("version", VERSIONS)
def test_it_answers_as_onnx_runtime_does_whatever_the_size(version: str, install: Install, model: Path) -> None:
    install(version)
    expected, runtime = OnnxRuntime(model, threads=1), open_runtime(model, runtime="tensorrt")
    for pictures in (batch(), batch(96, 64), batch(32, 32), batch()):
        got, wanted = runtime.run(pictures), expected.run(pictures)
        assert set(got) == set(wanted)
        for name, values in wanted.items():
            np.testing.assert_allclose(got[name], values, atol=1e-4)
    assert runtime.metadata == expected.metadata and runtime.output_shapes == expected.output_shapes
    assert runtime.device == "cuda:0 (Fake Orin, compute capability 8.7)"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_detector_finds_the_same_faces_and_frees_what_it_took(version: str, install: Install, model: Path) -> None:
    cuda = FakeCuda()
    install(version, cuda)
    picture = read_picture(PEOPLE)
    with Detector.load(model, threads=1) as one, Detector.load(model, runtime="tensorrt") as other:
        expected, got = one.detect(picture, max_side=640), other.detect(picture, max_side=640)
        assert len(got) == len(expected) >= 4
        np.testing.assert_allclose(got.boxes, expected.boxes, atol=1e-3)
        assert cuda.allocated
    assert not cuda.allocated and not cuda.streams


def test_what_was_answered_is_not_overwritten_by_the_next_run(install: Install, model: Path) -> None:
    install()
    runtime = TensorRtRuntime(model)
    first = runtime.run(batch())["scores"]
    kept = first.copy()
    runtime.run(255 - batch())
    np.testing.assert_array_equal(first, kept)


def test_precision_is_said_and_tf32_is_never_taken(install: Install, model: Path) -> None:
    module = install("10.7.0")
    for precision, flags in (("fp32", []), ("fp16", ["FP16"]), ("bf16", ["BF16"])):
        runtime = TensorRtRuntime(model, options=TensorRtOptions(precision))
        assert module.built[-1]["flags"] == flags and runtime.precision == precision
        assert not module.built[-1]["typed"] and module.built[-1]["detailed"]
    half = model.with_name("half.onnx")
    convert(model, half, ConversionPlan("fp16"))
    assert TensorRtRuntime(half).precision == "fp16" and module.built[-1]["flags"] == ["FP16"]


def test_in_11_precision_is_that_of_the_tensors(install: Install, model: Path) -> None:
    module = install("11.4.1")
    runtime = TensorRtRuntime(model, options=TensorRtOptions("fp16"))
    assert module.built[-1]["flags"] == [] and module.built[-1]["typed"]
    expected, got = OnnxRuntime(model, threads=1).run(batch()), runtime.run(batch())
    apart = max(float(np.abs(expected[name] - got[name]).max()) for name in expected)
    # really computed in halves, and still the same network
    assert 1e-4 < apart < 0.1
    with pytest.raises(UsageError, match="is in bf16, which TensorRT 11 takes from typed graphs alone"):
        TensorRtRuntime(model, options=TensorRtOptions("bf16"))


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt11", "tensorrt_api", "tensorrt_plan", "tensorrt_layers"])
def test_nothing_that_11_removed_is_named_in_what_11_runs(name: str) -> None:
    source = Path(importlib.import_module(f"ligera.deploy.runtimes.{name}").__file__ or "").read_text()
    assert not {word for word in GONE_IN_11 if f".{word}" in source}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_network_quantised_with_signed_activations_is_built_strongly_typed(
    version: str, install: Install, model: Path
) -> None:
    module = install(version)
    bundle = int8_bundle(model, "s8")
    runtime = TensorRtRuntime(bundle)
    assert module.built[-1]["typed"] and module.built[-1]["flags"] == [] and runtime.precision == "int8"
    pictures = batch().astype(runtime.input_type)
    for name, values in OnnxRuntime(bundle, threads=1).run(pictures).items():
        np.testing.assert_allclose(runtime.run(pictures)[name], values, atol=1e-4)
    with pytest.raises(ModelError, match=r"symmetric.*; for TensorRT quantise with `ligera export --activations s8`"):
        TensorRtRuntime(int8_bundle(model, "u8"))
    with pytest.raises(UsageError, match="is quantised already"):
        TensorRtRuntime(bundle, options=TensorRtOptions("fp16"))


@pytest.mark.parametrize(
    ("method", "parent"), [("entropy", "IInt8EntropyCalibrator2"), ("minmax", "IInt8MinMaxCalibrator")]
)
def test_ten_calibrates_on_pictures_once_and_remembers(
    method: str, parent: str, install: Install, model: Path, photos: Path
) -> None:
    module = install("10.7.0")
    options = TensorRtOptions(calibrate=photos, calibration=method, size=(320, 256))  # type: ignore[arg-type]
    TensorRtRuntime(model, options=options)
    built = module.built[-1]
    assert (built["flags"], built["calibrator"], built["calibrated_on"]) == (["INT8"], parent, 4)
    (engine,) = model.parent.glob("*.engine")
    engine.unlink()
    TensorRtRuntime(model, options=options)
    assert module.built[-1]["calibrated_on"] == 0
    (photos / "0.png").unlink()
    TensorRtRuntime(model, options=options)
    assert module.built[-1]["calibrated_on"] == 3


def test_a_damaged_calibration_cache_is_made_anew_with_a_word(
    install: Install, model: Path, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = install("10.7.0")
    options = TensorRtOptions(calibrate=photos, size=(320, 256))
    TensorRtRuntime(model, options=options)
    (cache,) = (tmp_path / "cache" / "ligera" / "calibration").glob("*.tensorrt")
    cache.write_bytes(cache.read_bytes()[:-3])
    (engine,) = model.parent.glob("*.engine")
    engine.unlink()
    TensorRtRuntime(model, options=options)
    assert module.built[-1]["calibrated_on"] == 4
    assert "a damaged calibration cache" in caplog.text


def test_a_picture_that_cannot_be_read_is_named_though_tensorrt_swallows_it(
    install: Install, model: Path, photos: Path, tmp_path: Path
) -> None:
    install("10.7.0")
    (photos / "1.png").write_bytes(b"no picture")
    with pytest.raises(LigeraError, match=r"1\.png"):
        TensorRtRuntime(model, options=TensorRtOptions(calibrate=photos, size=(320, 256)))
    assert not list((tmp_path / "cache").rglob("*.tensorrt")) and not list(model.parent.glob("*.engine"))


def test_an_empty_calibration_folder_is_named(install: Install, model: Path, tmp_path: Path) -> None:
    install("10.7.0")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LigeraError, match="empty"):
        TensorRtRuntime(model, options=TensorRtOptions(calibrate=tmp_path / "empty"))


def test_eleven_says_how_to_quantise_instead_of_calibrating(install: Install, model: Path, photos: Path) -> None:
    install("11.4.1")
    with pytest.raises(UsageError, match="TensorRT 11 calibrates no more; quantise first with `ligera export"):
        TensorRtRuntime(model, options=TensorRtOptions(calibrate=photos))
    with pytest.raises(UsageError, match=r"is in fp32; for int8 add --calibrate FOLDER \(TensorRT 10\)"):
        TensorRtRuntime(model, options=TensorRtOptions("int8"))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_share_on_a_dla_is_what_the_engine_runs_there(version: str, install: Install, model: Path) -> None:
    module = install(version, dla_cores=2)
    options = TensorRtOptions("fp16", dla_core=1, size=(320, 256))
    runtime = TensorRtRuntime(model, options=options)
    built = module.built[-1]
    assert built["dla"] and built["core"] == 1 and "GPU_FALLBACK" in built["flags"]
    assert built["shapes"] == ((1, 3, 256, 320),) * 3
    assert built["parsed_with"] == ([] if version.startswith("10") else ["ADJUST_FOR_DLA"])
    share = runtime.dla_share()
    assert share is not None
    kinds = [layer.kind for layer in runtime._engine.nodes]
    on_gpu = sum(kind in ("Reshape", "Transpose", "Concat", "Gemm") for kind in kinds)
    assert on_gpu and share.running == share.allowed == len(kinds) - on_gpu == round(share.share * share.layers)
    assert share.subgraphs > 1
    again = TensorRtRuntime(model, options=options)
    assert not again.built and again.dla_share() == share
    assert TensorRtRuntime(model).dla_share() is None


def test_a_dla_that_is_not_there_or_asked_for_too_much_is_refused(install: Install, model: Path) -> None:
    install("10.7.0", dla_cores=1)
    with pytest.raises(MissingExtra, match="DLA core 1: this device has 1; leave --dla out") as error:
        TensorRtRuntime(model, options=TensorRtOptions("fp16", dla_core=1, size=(320, 256)))
    assert error.value.exit_code == 3
    with pytest.raises(UsageError, match="computes in fp16 and int8, not in fp32"):
        TensorRtRuntime(model, options=TensorRtOptions("fp32", dla_core=0, size=(320, 256)))
    with pytest.raises(UsageError, match="takes any size, and a DLA one alone; add --size"):
        TensorRtRuntime(model, options=TensorRtOptions("fp16", dla_core=0))


@pytest.mark.parametrize(
    ("damage", "word"),
    [("cut", "is damaged"), ("flipped", "is damaged"), ("text", "is damaged"), ("list", "is damaged")],
)
def test_a_damaged_engine_is_made_anew_with_a_word(
    damage: str, word: str, install: Install, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = install()
    TensorRtRuntime(model)
    (engine,) = model.parent.glob("*.engine")
    whole = engine.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    engine.write_bytes({"cut": whole[:-9], "flipped": bytes(flipped), "text": b"hello\n", "list": b"[1]\n"}[damage])
    assert TensorRtRuntime(model).built and len(module.built) == 2
    assert f"{engine}: {word}, so the engine is made anew" in caplog.text
    assert not TensorRtRuntime(model).built


def test_another_card_s_engine_is_made_anew_and_says_whose_it_was(
    install: Install, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    install("10.7.0")
    TensorRtRuntime(model)
    (engine,) = model.parent.glob("*.engine")
    header = json.loads(engine.read_bytes().partition(b"\n")[0])
    assert (header["device"], header["version"]) == ("Fake Orin, compute capability 8.7", "10.7.0")
    install("10.7.0", FakeCuda(name=b"Fake Thor", major=11, minor=0))
    assert TensorRtRuntime(model).built
    assert "another device (Fake Orin, compute capability 8.7, here it is Fake Thor, compute cap" in caplog.text
    with caplog.at_level(logging.WARNING):
        caplog.clear()
        install("10.9.0")
        # of another version it has another name, so neither is lost
        assert TensorRtRuntime(model).built and not caplog.text and len(list(model.parent.glob("*.engine"))) == 2


def test_an_engine_that_tensorrt_no_longer_reads_is_made_anew(install: Install, model: Path) -> None:
    module = install()
    TensorRtRuntime(model)
    runtime_class = module.Runtime
    answers = [None]

    class Once(runtime_class):  # type: ignore[misc, valid-type]
        def deserialize_cuda_engine(self, serialized_engine: bytes) -> object:
            return answers.pop() if answers else runtime_class.deserialize_cuda_engine(self, serialized_engine)

    module.Runtime = Once
    assert TensorRtRuntime(model).built


@pytest.mark.parametrize("wrong", [np.zeros((1, 4, 32, 32), np.float32), np.zeros((1, 3, 32, 32), np.uint8)])
def test_a_batch_that_the_engine_does_not_take_is_refused_in_one_line(
    wrong: np.ndarray, install: Install, model: Path
) -> None:
    install()
    with pytest.raises(ModelError, match=f"cannot run a {wrong.dtype} input") as error:
        TensorRtRuntime(model).run(wrong)
    assert "\n" not in str(error.value)


def test_larger_pictures_than_it_was_built_for_are_refused(install: Install, model: Path) -> None:
    install()
    runtime = TensorRtRuntime(model, options=TensorRtOptions(size=(96, 64)))
    runtime.run(batch(64, 96))
    with pytest.raises(ModelError, match="the engine takes float32 1x3x64x96"):
        runtime.run(batch(64, 128))


def test_a_full_card_is_said_in_one_line(install: Install, model: Path) -> None:
    install("10.7.0", FakeCuda(memory_bytes=1000))
    with pytest.raises(ModelError, match=r"could not do it \(out of memory\)"):
        TensorRtRuntime(model).run(batch())


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08\x12\x00"])
def test_a_file_that_is_no_onnx_is_named_in_one_line(content: bytes, install: Install, tmp_path: Path) -> None:
    install()
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx: cannot be loaded as an ONNX model") as error:
        open_runtime(tmp_path / "bad.onnx", runtime="tensorrt")
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        open_runtime(tmp_path / "none.onnx", runtime="tensorrt")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"precision": "fp61"}, "there is no 'fp61'; did you mean 'fp16'"),
        ({"calibration": "entropic"}, "did you mean 'entropy'"),
        ({"precision": "fp16", "calibrate": Path("x")}, "--calibrate: is for int8"),
        ({"dla_core": -1}, "expected the number of a DLA core"),
        ({"size": (100, 64)}, "expected multiples of 32 px, got 100x64"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        TensorRtOptions(**options)


def test_a_card_without_int8_says_so(install: Install, model: Path, photos: Path) -> None:
    install("10.7.0", fast_int8=False)
    with pytest.raises(ModelError, match="no fast int8 arithmetic"):
        TensorRtRuntime(model, options=TensorRtOptions(calibrate=photos))


def test_another_major_version_is_refused(install: Install, model: Path) -> None:
    install("8.6.1")
    with pytest.raises(UsageError, match=r"written for TensorRT 10 and 11, and 8\.6\.1 is here"):
        TensorRtRuntime(model)


@pytest.mark.parametrize(
    ("missing", "word"), [("tensorrt", "needs tensorrt"), ("cuda.bindings", "needs cuda-bindings")]
)
def test_without_a_package_the_extra_is_named_and_the_exit_code_is_3(
    missing: str, word: str, install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install()
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.run(["detect", str(PEOPLE), "--model", "face-small", "--runtime", "tensorrt"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert word in line and "pip install 'ligera[tensorrt]'" in line


def test_without_a_card_it_says_so_with_exit_code_3(
    install: Install, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("10.7.0", FakeCuda(devices=0))
    assert cli.run(["detect", str(PEOPLE), "--model", str(model), "--runtime", "tensorrt"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "no NVIDIA card can be used here (no CUDA-capable device is detected)" in line


@pytest.mark.parametrize(("version", "precision"), [("10.7.0", "fp16"), ("11.4.1", "fp32")])
def test_an_audit_lists_layers_by_the_inspector_s_precision(
    version: str, precision: str, install: Install, model: Path
) -> None:
    install(version)
    bundle = model
    if precision == "fp16":
        bundle = model.with_name("half.onnx")
        convert(model, bundle, ConversionPlan("fp16"))
    audit = audit_layers(str(bundle), np.zeros((64, 96, 3), np.uint8), runtime="tensorrt")
    assert audit.weighted() == {precision: 24} and audit.device.startswith("cuda:0")
