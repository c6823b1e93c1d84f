"""OpenVINO: precision that is always said, engines kept beside their bundle, errors in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from ligera.deploy.builtin import builtin_path
from ligera.deploy.quantization.converting import ConversionPlan, convert
from ligera.deploy.runtimes import open_runtime
from ligera.deploy.runtimes.engine_cache import EngineCache, EngineKey
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.errors import MissingExtra, ModelError, UsageError

openvino = pytest.importorskip("openvino", reason="needs the extra openvino")

from ligera.deploy.runtimes.openvino import SAME_SHAPE_RUNS, OpenVinoRuntime  # noqa: E402


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "small.onnx"
    path.parent.mkdir()
    path.write_bytes(builtin_path("face-small").read_bytes())
    return path


def batch(height: int = 64, width: int = 96, count: int = 1) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (count, 3, height, width)).astype(np.float32)


def difference(runtime: OpenVinoRuntime, model: Path, pictures: np.ndarray) -> float:
    expected = OnnxRuntime(model, threads=1).run(pictures)
    got = runtime.run(pictures)
    assert list(got) == list(expected)
    return max(float(np.abs(got[name] - expected[name]).max()) for name in expected)


def engine_of(model: Path) -> Path:
    (path,) = model.parent.glob("*.engine")
    return path


def test_sizes_and_counts_may_change_from_batch_to_batch(model: Path) -> None:
    runtime = OpenVinoRuntime(model, threads=1)
    for pictures in (batch(), batch(96, 64), batch(count=3), batch()):
        assert difference(runtime, model, pictures) < 1e-3


def test_a_shape_that_stays_gets_a_network_of_its_own_and_the_same_answers(model: Path) -> None:
    runtime = OpenVinoRuntime(model, threads=1)
    first = runtime.run(batch())
    for _ in range(SAME_SHAPE_RUNS + 2):
        for name, values in runtime.run(batch()).items():
            np.testing.assert_allclose(values, first[name], atol=1e-3)
    assert difference(runtime, model, batch(96, 128)) < 1e-3


def test_what_was_answered_is_not_overwritten_by_the_next_run(model: Path) -> None:
    runtime = OpenVinoRuntime(model, threads=1)
    first = runtime.run(batch())["scores"]
    kept = first.copy()
    runtime.run(255 - batch())
    np.testing.assert_array_equal(first, kept)


def test_pictures_that_may_not_be_written_to_or_lie_in_pieces_are_taken_and_stay_as_they_are(model: Path) -> None:
    runtime = OpenVinoRuntime(model, threads=1)
    pictures = batch()
    read_only = np.frombuffer(pictures.tobytes(), np.float32).reshape(pictures.shape)
    for given in (read_only, np.asfortranarray(pictures), np.broadcast_to(pictures, pictures.shape)):
        assert difference(runtime, model, given) < 1e-3
        np.testing.assert_array_equal(given, pictures)


def test_the_engine_is_kept_beside_the_bundle_and_read_back_in_the_same_precision(model: Path) -> None:
    OpenVinoRuntime(model, threads=1)
    engine = engine_of(model)
    assert engine.name == f"small.openvino-{openvino.__version__.partition('-')[0]}-f32.engine"
    before = engine.stat().st_mtime_ns
    again = OpenVinoRuntime(model, threads=1)
    assert engine.stat().st_mtime_ns == before
    # in bf16, which networks read back run in unless told, the difference is a hundred times this
    assert difference(again, model, batch()) < 1e-3


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "other"])
def test_a_damaged_engine_or_another_devices_is_made_anew(damage: str, model: Path) -> None:
    OpenVinoRuntime(model, threads=1)
    engine = engine_of(model)
    whole = engine.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    damaged = {
        "cut": whole[: len(whole) // 2],
        "flipped": bytes(flipped),
        "empty": b"",
        "text": b"hello\n",
        "other": whole.replace(b'"device": "', b'"device": "not ', 1),
    }
    engine.write_bytes(damaged[damage])
    assert difference(OpenVinoRuntime(model, threads=1), model, batch()) < 1e-3
    assert engine.read_bytes() != damaged[damage]


def test_another_network_under_the_same_name_is_not_mistaken_for_it(model: Path) -> None:
    OpenVinoRuntime(model, threads=1)
    model.write_bytes(builtin_path("face").read_bytes())
    assert difference(OpenVinoRuntime(model, threads=1), model, batch()) < 1e-3


def test_engines_of_the_package_s_own_models_go_to_the_user_s_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = EngineKey("ab", "openvino", "1.2", "CPU", "f32")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert EngineCache(builtin_path("face"), key).path.parent == tmp_path / "ligera" / "engines"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert EngineCache(builtin_path("face"), key).path.parent == tmp_path / "home" / ".cache" / "ligera" / "engines"


def test_an_engine_that_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "a.onnx", EngineKey("ab", "openvino", "1.2", "CPU", "f32"))
    cache.path.mkdir()
    cache.write(b"engine")
    assert cache.read() is None


def test_a_bundle_for_bf16_runs_in_bf16_and_any_other_does_not(model: Path) -> None:
    half = model.with_name("half.onnx")
    convert(model, half, ConversionPlan("bf16"))
    runtime = OpenVinoRuntime(half, threads=1)
    assert runtime.precision == "bf16" and OpenVinoRuntime(model, threads=1).precision == "f32"
    expected, got = OnnxRuntime(model, threads=1).run(batch()), runtime.run(batch())
    apart = max(float(np.abs(got[name] - expected[name]).max()) for name in expected)
    assert 1e-2 < apart < 1


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08\x12\x00", bytes(range(256)) * 40, b"\x08" * 500])
def test_a_file_that_is_no_onnx_is_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx: cannot be loaded as an ONNX model by OpenVINO") as error:
        open_runtime(tmp_path / "bad.onnx", runtime="openvino")
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        open_runtime(tmp_path / "none.onnx", runtime="openvino")


@pytest.mark.parametrize("wrong", [np.zeros((1, 4, 32, 32), np.float32), np.zeros((1, 3, 32, 32), np.uint8)])
def test_a_batch_that_the_network_does_not_take_is_refused_in_one_line(wrong: np.ndarray, model: Path) -> None:
    runtime = OpenVinoRuntime(model, threads=1)
    with pytest.raises(ModelError, match=f"cannot run a {wrong.dtype} input") as error:
        runtime.run(wrong)
    assert "\n" not in str(error.value)


def test_threads_out_of_range_are_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="threads: expected 1 to 256, got 0"):
        OpenVinoRuntime(model, threads=0)


def test_without_the_package_the_extra_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ligera\[openvino\]'"):
        open_runtime(model, runtime="openvino")
