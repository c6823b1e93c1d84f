"""Which quarter of an hour energy belongs to."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ligera.meter.clock import SystemClock, shares_by_quarter

MADRID = timezone(timedelta(hours=1))
KATHMANDU = timezone(timedelta(hours=5, minutes=45))


def test_a_second_belongs_to_the_quarter_it_ends_in() -> None:
    end = datetime(2026, 3, 2, 22, 7, 1, tzinfo=MADRID)
    assert shares_by_quarter(end, 1.0) == {datetime(2026, 3, 2, 22, 0, tzinfo=MADRID): 1.0}


def test_what_spans_a_boundary_is_shared_by_time() -> None:
    end = datetime(2026, 3, 3, 0, 0, 30, tzinfo=KATHMANDU)
    shares = shares_by_quarter(end, 40.0)
    assert shares == pytest.approx(
        {datetime(2026, 3, 2, 23, 45, tzinfo=KATHMANDU): 0.25, datetime(2026, 3, 3, tzinfo=KATHMANDU): 0.75}
    )
    assert all(quarter.tzinfo == KATHMANDU for quarter in shares)


@given(seconds=st.floats(0.001, 30_000), offset_s=st.integers(0, 10**8), hours=st.sampled_from([-9.5, 0, 2, 5.75]))
def test_shares_add_up_to_one(seconds: float, offset_s: int, hours: float) -> None:
    end = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=offset_s)
    shares = shares_by_quarter(end.astimezone(timezone(timedelta(hours=hours))), seconds)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert all(quarter.minute % 15 == 0 and quarter.second == 0 for quarter in shares)


def test_no_time_at_all_still_has_its_quarter() -> None:
    end = datetime(2026, 3, 2, 22, 15, tzinfo=UTC)
    assert shares_by_quarter(end, 0.0) == {end: 1.0}


def test_the_system_knows_its_time_zone() -> None:
    clock = SystemClock()
    assert clock.now().utcoffset() is not None
    assert clock.monotonic() <= clock.monotonic()
