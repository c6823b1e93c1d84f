"""The machine as a latency table names it: processor, threads, runtime, governor, temperature; else ``None``."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from ligera.deploy.runtimes import Runtime
from ligera.meter.hardware import inspect_hardware
from ligera.search.table import Device

__all__ = ["device_of", "governor", "runtime_version", "temperature_c"]

SYSTEM = Path("/sys")
COLDEST_C, HOTTEST_C = -40.0, 150.0


def device_of(runtime: Runtime, runtime_name: str) -> Device:
    """This machine as ``runtime`` uses it."""
    hardware = inspect_hardware()
    on_card = not runtime.device.lower().startswith("cpu")
    return Device(
        processor=hardware.processor if not on_card else runtime.device,
        kind="gpu" if on_card else "cpu",
        system=hardware.system,
        cores=hardware.cores,
        threads=runtime.threads,
        runtime=runtime_name,
        runtime_version=runtime_version(runtime_name),
        governor=governor(),
    )


def runtime_version(name: str) -> str:
    """Version of the package that the runtime called ``name`` is."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def governor(system: Path = SYSTEM) -> str | None:
    """What sets the first core's frequency, such as ``performance`` or ``powersave``."""
    try:
        path = system / "devices/system/cpu/cpu0/cpufreq/scaling_governor"
        return path.read_text(encoding="ascii").strip()[:40] or None
    except (OSError, ValueError):
        return None


def temperature_c(system: Path = SYSTEM) -> float | None:
    """The hottest of the machine's thermal zones, in degrees Celsius."""
    found = []
    for file in sorted(system.glob("class/thermal/thermal_zone*/temp")):
        try:
            found.append(int(file.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):
            continue
    return max((value for value in found if COLDEST_C < value < HOTTEST_C), default=None)
