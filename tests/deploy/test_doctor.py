"""The doctor tells what is here without guessing."""

import json
import sys

import pytest

from ligera.deploy.doctor import diagnose, read_requirements
from ligera.deploy.hardware import inspect_hardware


def test_requirements_are_grouped_by_the_extra_that_brings_them() -> None:
    lines = [
        "numpy>=1.26",
        "torch>=2.11; extra == 'train'",
        'ray[tune]>=2 ; extra == "cluster"',
        "scipy; extra=='train'",
    ]
    assert read_requirements(lines) == {"": ("numpy",), "train": ("torch", "scipy"), "cluster": ("ray",)}


def test_a_diagnosis_is_plain_json_and_knows_this_installation() -> None:
    found = diagnose()
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["packages"]["numpy"] and plain["packages"]["onnxruntime"]
    assert "CPUExecutionProvider" in plain["providers"]
    extras = {extra.name: extra for extra in found.extras}
    assert "torch" in (*extras["train"].present, *extras["train"].missing)
    assert all(extra.purpose for extra in found.extras)


def test_hardware_that_nobody_can_tell_is_unknown_and_not_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = inspect_hardware()
    assert found.gpus is None
    assert 1 <= found.usable_cores <= found.cores
    assert found.processor
