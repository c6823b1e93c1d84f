"""On what something was measured: what tells this device and its software from others, for the cache and the report."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import ligera
from ligera.meter.hardware import inspect_hardware

__all__ = ["PACKAGES", "accuracy_software", "device", "software"]

PACKAGES = {"onnxruntime": "onnxruntime", "openvino": "openvino"}
# What turns pictures into network inputs.
PICTURE_PACKAGES = ("numpy", "opencv-python-headless")


def device() -> dict[str, Any]:
    """This machine: whatever changes here makes its times those of another."""
    found = inspect_hardware()
    return {
        "processor": found.processor,
        "architecture": found.architecture,
        "cores": found.cores,
        "usable_cores": found.usable_cores,
        "system": found.system,
    }


def software(runtime: str) -> dict[str, str]:
    """Versions on which the times of a candidate in ``runtime`` depend."""
    return accuracy_software(runtime) | {"python": platform.python_version()}


def accuracy_software(runtime: str) -> dict[str, str]:
    """Versions on which the answers of a candidate in ``runtime`` depend."""
    names = (PACKAGES.get(runtime, runtime), *PICTURE_PACKAGES)
    return {"ligera": ligera.__version__} | {name: _version(name) for name in names}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def described(runtimes: Mapping[str, Any] | tuple[str, ...]) -> dict[str, Any]:
    """The device and all versions that a report names."""
    versions: dict[str, str] = {}
    for runtime in runtimes:
        versions |= software(runtime)
    return {"device": device(), "software": versions}
