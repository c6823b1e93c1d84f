"""What a kilowatt-hour costs: one price, or a price by hour of day, from a small file; nothing is looked up.

A tariff file is YAML or JSON:

    time_zone: Europe/Madrid    # optional; otherwise the local time of the run
    default: 0.246              # EUR/kWh of hours that are not named; optional where all are
    hours:
      "22:00-08:00": 0.12       # night, past midnight
      "18-22": 0.31
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ligera.errors import DataError, MissingExtra, UsageError, nearest

__all__ = ["DEFAULT_EUR_PER_KWH", "Tariff"]

# Paper B, section 3.4.6.
DEFAULT_EUR_PER_KWH = 0.246
QUARTERS = 96
# Nobody pays this; 24.6 is what one types who thinks in cents.
MOST_EUR_PER_KWH = 10.0
MOST_BYTES = 2**16
KEYS = ("default", "hours", "time_zone")
SPAN = re.compile(r"\s*(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tariff:
    """``prices``: EUR/kWh for each quarter of an hour from midnight on; ``zone`` ``None``: the run's local time."""

    prices: tuple[float, ...]
    zone: str | None = None

    @classmethod
    def flat(cls, eur_per_kwh: float = DEFAULT_EUR_PER_KWH) -> Tariff:
        """One price at all hours. Raises ``UsageError`` for one that is no price."""
        return cls((_price(eur_per_kwh, "tariff"),) * QUARTERS)

    @classmethod
    def read(cls, text: str | float | Path | Tariff) -> Tariff:
        """A tariff, a price such as ``0.246``, or the path of a tariff file.

        Raises ``UsageError`` for a price that is none, ``DataError`` for a file that is missing or wrong and
        ``MissingExtra`` for one in YAML where PyYAML is not installed.
        """
        if isinstance(text, Tariff):
            return text
        try:
            return cls.flat(float(text))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return cls.parse(_load(Path(text)), str(text))  # type: ignore[arg-type]

    @classmethod
    def parse(cls, content: Any, where: str) -> Tariff:
        """The content of a tariff file. Raises ``DataError`` that names ``where`` and what is wrong."""
        try:
            return _parsed(content)
        except UsageError as error:
            raise DataError(f"{where}: {error}") from None

    @property
    def is_flat(self) -> bool:
        return len(set(self.prices)) == 1

    def price_at(self, moment: datetime) -> float:
        """EUR/kWh at a moment with a time zone: its own, unless the tariff has one."""
        local = moment.astimezone(ZoneInfo(self.zone)) if self.zone else moment
        return self.prices[local.hour * 4 + local.minute // 15]

    def as_dict(self) -> dict[str, Any]:
        """As a tariff file would say it; ``parse`` reads it back to the same prices."""
        if self.is_flat:
            return {"default": self.prices[0]}
        hours: dict[str, float] = {}
        start = 0
        for end in range(1, QUARTERS + 1):
            if end == QUARTERS or self.prices[end] != self.prices[start]:
                hours[f"{_clock(start)}-{_clock(end)}"] = self.prices[start]
                start = end
        return {"hours": hours, **({"time_zone": self.zone} if self.zone else {})}

    def __str__(self) -> str:
        if self.is_flat:
            return f"{self.prices[0]:g} EUR/kWh"
        zone = self.zone or "local time of the run"
        return f"{min(self.prices):g} to {max(self.prices):g} EUR/kWh by hour of day ({zone})"


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: too large for a tariff; a few lines of YAML or JSON are expected")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not text; a tariff is a price or a file of YAML or JSON") from None
    except ValueError:
        raise DataError(f"{path}: not a path; a tariff is a price in EUR/kWh or a file") from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise DataError(f"{path}: {reason}; a tariff is a price in EUR/kWh or a file") from None
    if path.suffix.lower() in (".yaml", ".yml"):
        return _yaml(path, text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({_line(error)}); name a YAML tariff .yaml") from None


def _yaml(path: Path, text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise MissingExtra("PyYAML", "train", f"{path}: a tariff in YAML (JSON needs nothing)") from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not YAML ({_line(error)})") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _parsed(content: Any) -> Tariff:
    if not isinstance(content, Mapping):
        raise UsageError(f"expected {', '.join(KEYS)}, got {reprlib.repr(content)}")
    for key in content:
        if key not in KEYS:
            raise UsageError(f"no key {reprlib.repr(key)}{nearest(str(key)[:40], KEYS)}; known: {', '.join(KEYS)}")
    default = content.get("default")
    prices: list[float | None] = [None if default is None else _price(default, "default")] * QUARTERS
    hours = content.get("hours") or {}
    if not isinstance(hours, Mapping):
        raise UsageError(f'hours: expected times and prices such as "22-8": 0.12, got {reprlib.repr(hours)}')
    named: set[int] = set()
    for span, price in hours.items():
        quarters = _span(span)
        if named & set(quarters):
            raise UsageError(f"hours: {_clock(min(named & set(quarters)))} has two prices; let no times overlap")
        named |= set(quarters)
        for quarter in quarters:
            prices[quarter] = _price(price, f"hours {span}")
    if None in prices:
        raise UsageError(f"no price for {_clock(prices.index(None))}; add it to hours, or a default")
    return Tariff(tuple(price for price in prices if price is not None), _zone(content.get("time_zone")))


def _span(text: Any) -> list[int]:
    """``22:00-8`` -> its quarters of an hour, past midnight where it ends before it begins."""
    match = SPAN.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise UsageError(f'hours: expected times such as "22:00-08:00", got {reprlib.repr(text)}')
    start, end = (int(match[i]) * 60 + int(match[i + 1] or 0) for i in (1, 3))
    if start % 15 or end % 15 or start >= 1440 or end > 1440 or start == end:
        raise UsageError(f"hours: {text!r}: expected quarters of an hour from 00:00 to 24:00, and an end that differs")
    return [quarter % QUARTERS for quarter in range(start // 15, (end if end > start else end + 1440) // 15)]


def _price(value: Any, what: str) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not math.isfinite(value) or not 0 <= value <= MOST_EUR_PER_KWH:
        got = reprlib.repr(value)
        raise UsageError(f"{what}: expected EUR/kWh (not cents) from 0 to {MOST_EUR_PER_KWH:g}, got {got}")
    return float(value)


def _zone(name: Any) -> str | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, TypeError, AttributeError, OSError):
        raise UsageError(f"time_zone: no time zone {reprlib.repr(name)}; expected one such as Europe/Madrid") from None


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"
