"""TensorRT as the adapters meet it, put in the real package's place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from ligera.deploy.builtin import builtin_path

from .fake_cuda import FakeCuda
from .fake_tensorrt import fake

Install = Callable[..., Any]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts the stand-ins of that version where imports find them; returns ``tensorrt``'s."""

    def put(version: str = "10.7.0", cuda: FakeCuda | None = None, **facts: Any) -> Any:
        cuda = cuda or FakeCuda()
        bindings: Any = ModuleType("cuda.bindings")
        bindings.runtime = cuda
        module = fake(version, cuda, **facts)
        for name, value in (("cuda", ModuleType("cuda")), ("cuda.bindings", bindings), ("tensorrt", module)):
            monkeypatch.setitem(sys.modules, name, value)
        return module

    return put


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "small.onnx"
    path.parent.mkdir()
    path.write_bytes(builtin_path("face-small").read_bytes())
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four pictures to calibrate on: noise of different brightness."""
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), generator.integers(0, 60 * (number + 1), (64, 96, 3), np.uint8))
    return folder
