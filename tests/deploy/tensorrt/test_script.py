"""The script for owners of a card, against the stand-ins of TensorRT and CUDA."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import Install


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parents[3] / "tools" / "tensorrt_engines.py"
    spec = importlib.util.spec_from_file_location("tensorrt_engines", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_precision_is_built_timed_and_its_share_on_the_dla_said(
    tool: ModuleType, install: Install, model: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("10.7.0", dla_cores=1)
    asked = [str(model), "--precision", "fp16", "int8", "--calibrate", str(photos), "--size", "96x64", "--dla", "0"]
    assert tool.main([*asked, "--batches", "3", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["precision"] for row in rows] == ["fp16", "int8"]
    for row in rows:
        assert row["n"] == 3 and row["shape"] == [1, 3, 64, 96] and row["device"].endswith("DLA core 0)")
        assert row["latency_ms"] >= row["network_ms"] > 0 and 0 < row["dla"]["share"] < 1
    assert tool.main([*asked, "--batches", "2"]) == 0
    assert "on the DLA: " in capsys.readouterr().out


def test_trtexec_lines_need_no_card(tool: ModuleType, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main([str(model), "--precision", "fp16", "--size", "640x480", "--dla", "1", "--trtexec"]) == 0
    lines = capsys.readouterr().out.splitlines()
    build = lines[1]
    assert build.startswith("trtexec --onnx=") and "--optShapes=pictures:1x3x480x640" in build
    assert "--fp16" in build and "--useDLACore=1 --allowGPUFallback" in build
    assert tool.main([str(model), "--trtexec"]) == 0
    assert "--maxShapes=pictures:1x3x1280x1280" in capsys.readouterr().out
    assert tool.main([str(model), "--precision", "int8", "--trtexec"]) == 0
    assert "trtexec has no pictures to calibrate on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["nosuch"], 2, "is no bundle"),
        (["face-small", "--size", "wide"], 2, "expected such as 640x480"),
        (["face-small"], 3, "needs tensorrt"),
    ],
)
def test_trouble_is_one_line_with_its_exit_code(
    arguments: list[str], code: int, word: str, tool: ModuleType, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert tool.main(arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert word in line
