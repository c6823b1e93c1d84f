"""A number with where it comes from: measured, estimated or unknown, on what device, from how many, how spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["Figure", "Provenance", "quantile_figure", "ratio_figure", "weakest"]

Provenance = Literal["measured", "estimated", "unknown"]
RESAMPLES = 200
INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` is ``None`` exactly where ``source`` is ``unknown``. ``spread`` is the 90 % interval of the value.

    ``note`` says in words how the value came about, or why there is none; where it names another range (that of an
    estimate), ``spread`` is that range.
    """

    value: float | None
    unit: str
    source: Provenance
    device: str
    threads: int | None
    n: int
    spread: tuple[float, float] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != (self.source == "unknown"):
            raise ValueError(f"source: expected unknown exactly where there is no value, got {self.source}")

    def as_dict(self) -> dict[str, Any]:
        """The figure ready for JSON."""
        return asdict(self)


def weakest(sources: Sequence[Provenance]) -> Provenance:
    """How far a figure made from others can be trusted: as far as the least of them."""
    order: tuple[Provenance, ...] = ("unknown", "estimated", "measured")
    return min(sources, key=order.index, default="unknown")


def quantile_figure(
    rounds: list[list[float]], quantile: float, *, unit: str, device: str, threads: int | None
) -> Figure:
    """A quantile over all runs; its spread is a bootstrap over rounds, as runs of one round are not independent."""
    samples = [np.array(part, float) for part in rounds if part]
    if not samples:
        return Figure(None, unit, "unknown", device, threads, 0)
    value = float(np.quantile(np.concatenate(samples), quantile))
    generator = np.random.default_rng(0)
    again = [
        np.quantile(np.concatenate([samples[i] for i in generator.integers(0, len(samples), len(samples))]), quantile)
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(again, INTERVAL)
    count = sum(len(part) for part in samples)
    return Figure(value, unit, "measured", device, threads, count, (float(low), float(high)))


def ratio_figure(
    amounts: Sequence[float], counts: Sequence[int], *, unit: str, device: str, threads: int | None
) -> Figure:
    """All rounds' amounts over all rounds' counts (energy over detections); its spread is a bootstrap over rounds."""
    if not counts or not sum(counts):
        return Figure(None, unit, "unknown", device, threads, 0)
    total, number = np.array(amounts, float), np.array(counts, float)
    chosen = np.random.default_rng(0).integers(0, len(total), (RESAMPLES, len(total)))
    low, high = np.quantile(total[chosen].sum(1) / number[chosen].sum(1), INTERVAL)
    value = float(total.sum() / number.sum())
    return Figure(value, unit, "measured", device, threads, int(number.sum()), (float(low), float(high)))
