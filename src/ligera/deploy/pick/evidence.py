"""What has been measured of a candidate so far, as records that go into the cache and come back.

:class:`Screening` is a few runs in a process shared with others, :class:`Visit` a longer stay in a fresh process of
its own, in turns with others. Times are ms of one call (a batch), energies J of one picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Screening", "Visit"]


@dataclass(frozen=True, slots=True)
class Screening:
    """``times_ms`` of single calls; ``cpu_s`` of a picture and ``cpu_ms`` of a call, on one of its threads.

    ``stopped`` where the rest was spared, as it was far over; ``busy`` where other work made the times longer.
    """

    times_ms: tuple[float, ...]
    cpu_s: float
    cpu_ms: float
    stopped: bool = False
    busy: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Screening:
        times_ms = tuple(float(ms) for ms in row["times_ms"])
        return cls(times_ms, float(row["cpu_s"]), float(row["cpu_ms"]), bool(row["stopped"]), bool(row["busy"]))


@dataclass(frozen=True, slots=True)
class Visit:
    """``rounds_ms`` and ``network_ms`` hold the calls of each round.

    ``joules`` and ``pictures`` are of each round, a joule being ``None`` where no counter told; ``energy_source`` and
    ``energy_note`` say how they came about. ``noise`` says why the times must not be quoted, empty where they may.
    """

    rounds_ms: tuple[tuple[float, ...], ...]
    network_ms: tuple[tuple[float, ...], ...]
    joules: tuple[float | None, ...]
    pictures: tuple[int, ...]
    energy_source: str
    energy_note: str
    started_ms: float
    peak_mb: float | None
    noise: tuple[str, ...]
    at: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Visit:
        return cls(
            rounds_ms=tuple(tuple(float(ms) for ms in part) for part in row["rounds_ms"]),
            network_ms=tuple(tuple(float(ms) for ms in part) for part in row["network_ms"]),
            joules=tuple(None if value is None else float(value) for value in row["joules"]),
            pictures=tuple(int(count) for count in row["pictures"]),
            energy_source=str(row["energy_source"]),
            energy_note=str(row["energy_note"]),
            started_ms=float(row["started_ms"]),
            peak_mb=None if row["peak_mb"] is None else float(row["peak_mb"]),
            noise=tuple(map(str, row["noise"])),
            at=str(row["at"]),
        )
