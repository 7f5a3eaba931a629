"""Counting periods are UTC calendar periods, half-open, whatever zone the moment is told in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.clock import to_micros
from credyt_mcp.domain.periods import LIFETIME_START, period_start, period_start_micros
from credyt_mcp.domain.prices import Period

MONTHS: dict[Period, int] = {"monthly": 1, "quarterly": 3, "yearly": 12}
moments = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-14), timedelta(hours=14))),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("period", "moment", "start"),
    [
        ("monthly", "2026-05-17T12:30:00+00:00", "2026-05-01T00:00:00+00:00"),
        ("monthly", "2026-05-01T00:00:00+00:00", "2026-05-01T00:00:00+00:00"),
        ("monthly", "2026-04-30T23:59:59.999999+00:00", "2026-04-01T00:00:00+00:00"),
        ("monthly", "2026-05-01T01:00:00+02:00", "2026-04-01T00:00:00+00:00"),
        ("monthly", "2025-12-31T20:00:00-05:00", "2026-01-01T00:00:00+00:00"),
        ("quarterly", "2026-03-31T23:59:59+00:00", "2026-01-01T00:00:00+00:00"),
        ("quarterly", "2026-04-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00"),
        ("quarterly", "2026-12-01T00:00:00+00:00", "2026-10-01T00:00:00+00:00"),
        ("yearly", "2024-02-29T08:00:00+00:00", "2024-01-01T00:00:00+00:00"),
        ("lifetime", "2024-02-29T08:00:00+00:00", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_a_moment_falls_into_the_period_that_starts_at(
    period: Period, moment: str, start: str
) -> None:
    assert period_start(period, at(moment)) == at(start)


@given(moments, st.sampled_from(sorted(MONTHS)))
def test_a_period_holds_its_start_and_ends_where_the_next_one_starts(
    moment: datetime, period: Period
) -> None:
    start = period_start(period, moment)
    months = start.month - 1 + MONTHS[period]
    following = start.replace(year=start.year + months // 12, month=months % 12 + 1)
    assert start <= moment < following
    assert start.utcoffset() == timedelta(0)
    assert period_start(period, start) == start
    assert period_start(period, following - timedelta(microseconds=1)) == start
    assert period_start(period, following) == following


@given(moments)
def test_a_lifetime_has_one_start(moment: datetime) -> None:
    assert period_start("lifetime", moment) == LIFETIME_START == datetime(1970, 1, 1, tzinfo=UTC)


@given(moments, st.sampled_from([*sorted(MONTHS), "lifetime"]))
def test_a_period_starts_at_the_same_moment_in_microseconds(
    moment: datetime, period: Period
) -> None:
    start = period_start(period, moment)
    assert period_start_micros(period, to_micros(moment)) == to_micros(start)


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        period_start("monthly", datetime(2026, 5, 1))  # noqa: DTZ001  the point of the test
