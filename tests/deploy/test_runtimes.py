"""Runtimes: the same few promises, whatever runs the network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ligera import cli
from ligera.deploy.bundle import card_from_metadata
from ligera.deploy.runtimes import for_live, open_runtime
from ligera.deploy.runtimes import onnxruntime as module
from ligera.deploy.runtimes.mock import MockRuntime
from ligera.deploy.runtimes.onnxruntime import OnnxRuntime
from ligera.deploy.runtimes.threads import available_threads, default_threads
from ligera.deploy.timing.stopwatch import StopwatchRuntime
from ligera.errors import MissingExtra, ModelError, UsageError


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        open_runtime(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x08\x12\x00", bytes(range(256)) * 40])
def test_a_file_that_is_no_onnx_is_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx: cannot be loaded as an ONNX model") as error:
        open_runtime(tmp_path / "bad.onnx")
    assert "\n" not in str(error.value)


def test_a_bundle_cut_short_is_named(bundle: Path, tmp_path: Path) -> None:
    content = bundle.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        open_runtime(tmp_path / "cut.onnx")


def test_metadata_that_is_no_text_is_named_and_nothing_is_printed(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bundle.read_bytes()
    assert b'"labels"' in content
    (tmp_path / "odd.onnx").write_bytes(content.replace(b'"labels"', b'"la\xffels"'))
    with pytest.raises(ModelError, match=r"odd\.onnx: cannot be loaded"):
        open_runtime(tmp_path / "odd.onnx")
    assert capfd.readouterr() == ("", "")


def test_five_hundred_damaged_bundles_load_or_say_why_not(bundle: Path, tmp_path: Path) -> None:
    content = bundle.read_bytes()
    generator = np.random.default_rng(0)
    batch = np.zeros((1, 3, 64, 64), np.float32)
    refused = 0
    for _ in range(500):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), int(generator.integers(1, 9))):
            damaged[place] ^= 1 << int(generator.integers(8))
        path = tmp_path / "damaged.onnx"
        path.write_bytes(
            bytes(damaged[: generator.integers(1, len(damaged) + 1)]) if generator.random() < 0.2 else damaged
        )
        try:
            runtime = open_runtime(path, threads=1)
            card_from_metadata(runtime.metadata, str(path))
            runtime.run(batch)
        except ModelError as error:
            assert "\n" not in str(error)
            refused += 1
    assert 50 < refused < 500


def test_an_unknown_runtime_gets_the_nearest_name(bundle: Path) -> None:
    with pytest.raises(UsageError, match="no runtime is called 'onxruntime'; did you mean 'onnxruntime'"):
        open_runtime(bundle, runtime="onxruntime")


@pytest.mark.parametrize(
    "batch", [np.zeros((1, 4, 32, 32), np.float32), np.zeros((1, 3, 32, 32), np.uint8), np.zeros(3, np.float32)]
)
def test_a_batch_that_the_network_does_not_take_is_refused_in_one_line(bundle: Path, batch: np.ndarray) -> None:
    with pytest.raises(ModelError, match=f"cannot run a {batch.dtype} input") as error:
        OnnxRuntime(bundle).run(batch)
    assert "\n" not in str(error.value)


def test_sides_that_the_file_leaves_open_are_none(bundle: Path) -> None:
    runtime = OnnxRuntime(bundle, threads=1)
    assert runtime.input_shape == (None, 3, None, None)
    assert runtime.output_shapes["scores"][2] == 1
    assert runtime.threads == 1


def test_threads_are_bounded_by_the_cores_there_are(bundle: Path) -> None:
    assert 1 <= default_threads() <= min(4, available_threads())
    assert OnnxRuntime(bundle).threads == default_threads()
    with pytest.raises(UsageError, match="threads: expected 1 to 256, got 0"):
        OnnxRuntime(bundle, threads=0)


def test_threads_sleep_between_runs_where_that_was_asked_for(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, said = module.onnxruntime.InferenceSession, []

    def open_session(source: str, options: Any, **words: object) -> object:
        try:
            said.append(options.get_session_config_entry("session.intra_op.allow_spinning"))
        except RuntimeError:  # ONNX Runtime's own default
            said.append(None)
        return real(source, options, **words)

    monkeypatch.setattr(module.onnxruntime, "InferenceSession", open_session)
    for name in ("onnxruntime", for_live("onnxruntime")):
        open_runtime(bundle, runtime=name, threads=2)
    assert said == [None, "0"]
    assert for_live("openvino") == "openvino"


def test_a_stopwatch_changes_nothing_but_time(bundle: Path) -> None:
    plain = OnnxRuntime(bundle)
    timed = StopwatchRuntime(plain)
    batch = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    for name, value in plain.run(batch).items():
        np.testing.assert_array_equal(timed.run(batch)[name], value)
    assert timed.elapsed_ms > 0
    assert (timed.name, timed.threads, timed.input_shape) == (plain.name, plain.threads, plain.input_shape)


def test_a_closed_mock_runs_no_more() -> None:
    runtime = MockRuntime(lambda batch: {"y": batch})
    assert runtime.run(np.ones(1))["y"] == 1
    runtime.close()
    with pytest.raises(RuntimeError, match="closed"):
        runtime.run(np.ones(1))


def test_a_card_is_only_used_where_onnx_runtime_can_and_says_so_with_exit_code_3(
    bundle: Path, picture_file: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available_providers", lambda: ("CPUExecutionProvider",))
    asked = ["detect", str(picture_file()), "--model", str(bundle), "--runtime", "onnxruntime-cuda"]
    assert cli.run(asked) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "built without CUDA; run: pip uninstall -y onnxruntime && pip install onnxruntime-gpu" in line


def test_a_card_that_fails_to_open_is_not_silently_replaced_by_the_cpu(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.onnxruntime.InferenceSession
    asked: list[list[str]] = []

    def without_cuda(source: str, options: object, providers: list[str], **words: object) -> object:
        asked.append(providers)
        # as ONNX Runtime goes on where a library of CUDA is missing
        return real(source, options, providers=["CPUExecutionProvider"], **words)

    monkeypatch.setattr(module, "available_providers", lambda: ("CUDAExecutionProvider", "CPUExecutionProvider"))
    monkeypatch.setattr(module.onnxruntime, "InferenceSession", without_cuda)
    with pytest.raises(MissingExtra, match="cannot use a card here"):
        open_runtime(bundle, runtime="onnxruntime-cuda")
    assert asked == [["CUDAExecutionProvider", "CPUExecutionProvider"]]


def test_steps_of_a_run_give_what_the_run_does(bundle: Path) -> None:
    runtime = OnnxRuntime(bundle, threads=1)
    batch = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    runtime.put(batch)
    runtime.execute()
    for name, value in runtime.take().items():
        np.testing.assert_array_equal(runtime.run(batch)[name], value)
