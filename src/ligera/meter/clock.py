"""Time for the meter: durations from a clock that never jumps, and the quarter of an hour that energy was used in.

Tariffs change on the hour, time zones differ by quarters of an hour, so energy by quarter can be priced in any of them.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "SystemClock", "shares_by_quarter"]

QUARTER = timedelta(minutes=15)


class Clock(Protocol):
    """``monotonic`` in s from anywhere; ``now`` with the offset of the local time zone."""

    def monotonic(self) -> float: ...

    def now(self) -> datetime: ...


class SystemClock:
    """This machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now().astimezone()


def shares_by_quarter(end: datetime, seconds: float) -> dict[datetime, float]:
    """How the last ``seconds`` before ``end`` spread over quarters of an hour: the start of each -> its share.

    The shares add up to 1; each start is in the time zone of ``end``.
    """
    finish = end.astimezone(UTC)
    begin = finish - timedelta(seconds=max(seconds, 0.0))
    start = begin - (begin - datetime.min.replace(tzinfo=UTC)) % QUARTER
    if finish <= start + QUARTER or seconds <= 0:
        return {start.astimezone(end.tzinfo): 1.0}
    shares = {}
    while start < finish:
        within = min(start + QUARTER, finish) - max(start, begin)
        shares[start.astimezone(end.tzinfo)] = within.total_seconds() / seconds
        start += QUARTER
    return shares
