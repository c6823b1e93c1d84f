"""What is installed and what works here: versions, hardware, runtimes, and what each extra would add."""

from __future__ import annotations

import platform
import re
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from ligera import __version__
from ligera.deploy.builtin import builtin_names
from ligera.meter.hardware import Hardware, inspect_hardware
from ligera.meter.sources import PowerSource, power_sources

__all__ = ["Diagnosis", "Extra", "diagnose", "read_requirements"]

PURPOSES = {
    "train": "training, search and export",
    "openvino": "faster inference on Intel processors",
    "tensorrt": "fastest inference on NVIDIA cards",
    "web": "serving over HTTP",
    "cluster": "many trials on many machines",
    "energy": "energy and memory of NVIDIA cards",
    "dev": "developing Ligera",
}
# Any of OpenCV's wheels holds the cv2 that we need.
ALTERNATIVES = {"opencv-python-headless": ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")}


@dataclass(frozen=True, slots=True)
class Extra:
    """One optional group of packages; ``missing`` ones come with ``pip install 'ligera[name]'``."""

    name: str
    purpose: str
    present: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Versions are ``None`` where a package is absent; ``providers`` are what ONNX Runtime can run on here, ``power``
    the ways to know what work uses here.
    """

    version: str
    python: str
    packages: dict[str, str | None]
    hardware: Hardware
    power: tuple[PowerSource, ...]
    providers: tuple[str, ...]
    builtin_models: tuple[str, ...]
    extras: tuple[Extra, ...]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def diagnose() -> Diagnosis:
    """Look around; imports nothing heavy but ONNX Runtime."""
    from ligera.deploy.runtimes.onnxruntime import available_providers

    groups = read_requirements(metadata.requires("ligera") or [])
    return Diagnosis(
        version=__version__,
        python=platform.python_version(),
        packages={name: _version(name) for name in groups.pop("", ())},
        hardware=inspect_hardware(),
        power=power_sources(),
        providers=available_providers(),
        builtin_models=builtin_names(),
        extras=tuple(_extra(name, packages) for name, packages in groups.items()),
    )


def read_requirements(requirements: list[str]) -> dict[str, tuple[str, ...]]:
    """Lines such as ``torch>=2.11; extra == 'train'`` -> packages by extra; ``""`` is the base installation."""
    groups: dict[str, list[str]] = {}
    for line in requirements:
        requirement, _, condition = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", condition)
        package = re.match(r"[\w.-]+", requirement.strip())
        if package:
            groups.setdefault(extra[1] if extra else "", []).append(package[0])
    return {name: tuple(packages) for name, packages in groups.items()}


def _extra(name: str, packages: tuple[str, ...]) -> Extra:
    there = tuple(package for package in packages if _version(package) is not None)
    missing = tuple(package for package in packages if package not in there)
    return Extra(name, PURPOSES.get(name, ""), there, missing)


def _version(package: str) -> str | None:
    for name in (package, *ALTERNATIVES.get(package, ())):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
