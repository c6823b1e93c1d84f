"""The machine this runs on: processor, cores, memory, graphics cards. What nobody can tell is ``None``."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from ligera.meter.nvml import Gpu, list_gpus

__all__ = ["Gpu", "Hardware", "available_threads", "inspect_hardware", "processor_name"]


@dataclass(frozen=True, slots=True)
class Hardware:
    """``cores`` are logical, ``usable_cores`` those this process may use. ``gpus`` is ``None`` where it is unknown."""

    processor: str
    architecture: str
    system: str
    cores: int
    usable_cores: int
    memory_mb: float | None
    gpus: tuple[Gpu, ...] | None


def inspect_hardware() -> Hardware:
    """Look at this machine; takes a few milliseconds, more where there is a graphics card."""
    return Hardware(
        processor=processor_name(),
        architecture=platform.machine() or "unknown",
        system=platform.platform(terse=True),
        cores=os.cpu_count() or 1,
        usable_cores=available_threads(),
        memory_mb=_memory_mb(),
        gpus=list_gpus(),
    )


def available_threads() -> int:
    """Cores that this process may use, which a container or ``taskset`` may have made fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """The marketing name; on ARM boards the board's, since their cpuinfo has none."""
    for file in (Path("/proc/device-tree/model"), Path("/proc/cpuinfo")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if file.name == "model" and text.strip("\0 \n"):
            return text.strip("\0 \n")
        for line in text.splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _memory_mb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (AttributeError, ValueError, OSError):
        return None
