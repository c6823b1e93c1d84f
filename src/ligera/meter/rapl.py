"""Energy counters of Intel and AMD processors (RAPL), which Linux shows under ``/sys/class/powercap``.

In: that folder. Out: joules counted by each package and by memory where it has a counter of its own; they wrap at
``range_j``. Left out, as they are part of what is counted already: core and uncore (within the package), the platform
domain psys (holds the package), and a second interface (mmio) to the same package. Memory (dram) lies outside the
package (Intel SDM volume 3B, section "RAPL domains and platform specificity"; kernel: Documentation/power/powercap).
Counters are those of the machine: whatever else runs on a package is in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ligera.meter.kernel import read_kernel_file

__all__ = ["POWERCAP", "Rapl", "Zone"]

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Zone:
    """One counter: ``package-0``, or ``package-0 dram``."""

    name: str
    folder: Path
    range_j: float


class Rapl:
    """The counters that may be read; none where any package's may not, and ``trouble`` then says why."""

    def __init__(self, root: Path = POWERCAP) -> None:
        self.zones: tuple[Zone, ...] = ()
        self.trouble: str | None = None
        packages = _packages(root)
        if not packages:
            self.trouble = f"no RAPL counters under {root} (virtual machines seldom have them)"
            return
        zones: list[Zone] = []
        for name, folder in packages.items():
            try:
                zones.append(_zone(name, folder))
            except PermissionError:
                self.trouble = f"{folder}/energy_uj may only be read by root; run: sudo chmod a+r {root}/*/energy_uj"
                return
            except (OSError, ValueError) as error:
                self.trouble = f"{folder}/energy_uj cannot be read: {error}"
                return
            zones += _memory(name, folder)
        self.zones = tuple(zones)

    def read(self) -> dict[str, float | None]:
        """Joules by name of zone; ``None`` where a counter cannot be read any more."""
        return {zone.name: _joules(zone.folder) for zone in self.zones}


def _packages(root: Path) -> dict[str, Path]:
    """Folders of whole packages by name, one for each even where two interfaces lead to it."""
    found: dict[str, Path] = {}
    try:
        folders = sorted(folder for folder in root.iterdir() if re.fullmatch(r"intel-rapl[a-z-]*:\d+", folder.name))
    except OSError:
        return {}
    # "intel-rapl:0" before "intel-rapl-mmio:0"
    for folder in sorted(folders, key=lambda folder: "-mmio" in folder.name):
        name = _name(folder)
        if name.startswith("package"):
            found.setdefault(name, folder)
    return found


def _memory(package: str, folder: Path) -> list[Zone]:
    zones = []
    for inner in sorted(folder.glob(f"{folder.name}:*")):
        if _name(inner) == "dram":
            try:
                zones.append(_zone(f"{package} dram", inner))
            except (OSError, ValueError):
                continue
    return zones


def _zone(name: str, folder: Path) -> Zone:
    if int((folder / "energy_uj").read_text(encoding="ascii")) == 0:
        raise ValueError("it stands at 0, as in virtual machines")
    return Zone(name, folder, int((folder / "max_energy_range_uj").read_text(encoding="ascii")) / 1e6)


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _joules(folder: Path) -> float | None:
    try:
        return int(read_kernel_file(f"{folder}/energy_uj")) / 1e6
    except (OSError, ValueError):
        return None
