"""``cost.json``: what one process of a run used, leg by leg, as it is written and read back.

A leg is what ran between a start and its end, kill or crash; a run that is resumed adds one. Energy is kept by quarter
of an hour, so that any tariff can be applied later, and by device, so that none counts twice.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from ligera.errors import DataError
from ligera.typed_yaml import Frozen

__all__ = ["FILE_NAME", "CostFile", "Energy", "GpuUse", "Leg", "Machine", "PhaseUse", "cost_path", "ranks", "read_file"]

FILE_NAME = "cost.json"
MOST_BYTES = 2**28


def _plausible(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 3000:
        raise ValueError("expected a year from 2000 to 2999")
    return moment


Amount = Annotated[float, Field(ge=0, le=1e18)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


class Machine(Frozen):
    """Where a leg ran."""

    host: str
    processor: str
    threads: Count


class PhaseUse(Frozen):
    """One named part of a leg, whatever ran within it under a name of its own left out."""

    times: Count
    wall_s: Amount
    cpu_s: Amount


class Energy(Frozen):
    """Joules of one device, known in one way. ``shared``: the whole device's, the same for every process beside it.

    ``joules`` is ``None`` where nothing is known; ``covered_s`` is how much of the leg the joules are of.
    """

    device: str
    name: str
    way: Literal["counter", "power", "estimate"]
    shared: bool
    joules: Amount | None
    range_j: tuple[Amount, Amount] | None = None
    covered_s: Amount
    by_quarter: dict[Moment, Amount]
    by_phase: dict[str, Amount]
    n: Count
    note: str


class GpuUse(Frozen):
    """Memory that anyone held on a card (MB) and the share of time it was busy, means over ``seen_s``."""

    device: str
    name: str
    memory_peak_mb: Amount | None
    memory_mean_mb: Amount | None
    utilisation_mean: Amount | None
    seen_s: Amount
    n: Count


class Leg(Frozen):
    """What one process used from its start to ``last``; ``state`` is still "running" where it was killed."""

    started: Moment
    last: Moment
    state: Literal["running", "done", "stopped"]
    reason: str = ""
    machine: Machine
    wall_s: Amount
    cpu_s: Amount
    peak_rss_mb: Amount | None
    samples: Count
    metering_cpu_s: Amount
    phases: dict[str, PhaseUse]
    gpus: tuple[GpuUse, ...]
    energy: tuple[Energy, ...]
    notes: tuple[str, ...]


class CostFile(Frozen):
    """One process's legs; ``rank`` is its number under torchrun."""

    version: Literal[1] = 1
    rank: Count = 0
    tariff: dict[str, Any]
    co2_g_per_kwh: Amount
    legs: tuple[Leg, ...]


def cost_path(folder: Path, rank: int = 0) -> Path:
    """Where the process of this rank writes: ``cost.json``, ``cost.rank1.json`` ..."""
    return folder / (FILE_NAME if rank == 0 else f"cost.rank{rank}.json")


def ranks(folder: Path) -> list[Path]:
    """The cost files of a run folder, in the order of ranks."""
    found = {}
    for path in folder.iterdir():
        match = re.fullmatch(r"cost(?:\.rank(\d+))?\.json", path.name)
        if match:
            found[int(match[1] or 0)] = path
    return [found[rank] for rank in sorted(found)]


def read_file(path: Path) -> CostFile:
    """Raises ``DataError`` for a file that is not as ``CostFile`` wants it, ``OSError`` for one that cannot be read."""
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path}: too large for a record of cost; move it away to meter the run anew")
    try:
        return CostFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = " ".join(first["msg"].split())
        wrong = f"{place}: {reason}" if place else reason
        raise DataError(f"{path}: damaged record of cost ({wrong}); move it away to meter the run anew") from None
