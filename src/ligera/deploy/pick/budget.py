"""What a model may cost, as its user says it, and what the same budget is when it gives way a little."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ligera.errors import UsageError

__all__ = ["LIMITS", "RELAXED_SHARE", "Budget"]

# Fields of a budget and how the command line calls them.
LIMITS: Mapping[str, str] = {
    "max_ms": "--max-ms",
    "max_mb": "--max-mb",
    "max_joule": "--max-joule",
    "max_drop": "--max-drop",
}
RELAXED_SHARE = 0.2
LOWEST_PERCENTILE, HIGHEST_PERCENTILE = 50, 99


@dataclass(frozen=True, slots=True)
class Budget:
    """``None`` leaves a limit open.

    ``max_ms`` bounds the ``percentile`` of the time from a decoded picture to its answer (of a whole batch), ``max_mb``
    the model's file (10^6 bytes), ``max_joule`` the energy of a picture, and ``max_drop`` the points of accuracy that a
    converted bundle may lose against its own original in fp32. Raises ``UsageError`` for a limit that is no limit.
    """

    max_ms: float | None = None
    max_mb: float | None = None
    max_joule: float | None = None
    max_drop: float | None = None
    percentile: float = 95.0

    def __post_init__(self) -> None:
        for name, flag in LIMITS.items():
            value = getattr(self, name)
            if value is None:
                continue
            zero_is_fine = name == "max_drop"
            if not math.isfinite(value) or value < 0 or (value == 0 and not zero_is_fine):
                raise UsageError(
                    f"{flag}: expected a number {'of 0 or more' if zero_is_fine else 'above 0'}, got {value:g}"
                )
        if not LOWEST_PERCENTILE <= self.percentile <= HIGHEST_PERCENTILE:
            raise UsageError(
                f"--percentile: expected {LOWEST_PERCENTILE} to {HIGHEST_PERCENTILE}, got {self.percentile:g}"
            )

    @property
    def is_open(self) -> bool:
        return all(getattr(self, name) is None for name in LIMITS)

    def relaxed(self, share: float = RELAXED_SHARE) -> Budget:
        """The same with every limit on cost raised by ``share``; what may be lost stays."""
        wider = {
            name: getattr(self, name) * (1 + share)
            for name in LIMITS
            if name != "max_drop" and getattr(self, name) is not None
        }
        return replace(self, **wider)

    def words(self) -> str:
        """``p95 within 8 ms, file within 2 MB``, or that there is no limit."""
        said = {
            "max_ms": f"p{self.percentile:g} within {{:g}} ms",
            "max_mb": "file within {:g} MB",
            "max_joule": "energy within {:g} J a picture",
            "max_drop": "at most {:g} points lost to precision",
        }
        parts = [said[name].format(getattr(self, name)) for name in LIMITS if getattr(self, name) is not None]
        return ", ".join(parts) or "no limit"

    def as_dict(self) -> dict[str, Any]:
        """The budget ready for JSON."""
        return asdict(self)
