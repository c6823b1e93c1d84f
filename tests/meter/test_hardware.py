"""The machine, as far as it can be told."""

import sys

import pytest

from ligera.meter import nvml
from ligera.meter.hardware import Gpu, available_threads, inspect_hardware

from .machine import PlayedCard, PlayedClock, PlayedNvml, level


def test_hardware_that_nobody_can_tell_is_unknown_and_not_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = inspect_hardware()
    assert found.gpus is None
    assert 1 <= found.usable_cores <= found.cores
    assert found.usable_cores == available_threads()
    assert found.processor


def test_cards_are_listed_with_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    module = PlayedNvml(PlayedClock(), [PlayedCard(level(1.0), name="Big Card")])
    module.nvmlSystemGetDriverVersion = lambda: b"550.54"  # type: ignore[attr-defined]
    monkeypatch.setattr(nvml, "load_nvml", lambda: module)
    assert inspect_hardware().gpus == (Gpu("Big Card", 80_000.0, "550.54"),)
    assert module.opened == 0
    module.starts = False
    assert inspect_hardware().gpus == ()
