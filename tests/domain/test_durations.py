"""Durations and months on the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from credyt_mcp.domain.durations import later
from credyt_mcp.domain.periods import add_months

NEW_YEARS_EVE = datetime(2027, 12, 31, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2028, 1, 31), 1, (2028, 2, 29)),
        ((2026, 1, 31), 2, (2026, 3, 31)),
        ((2026, 11, 30), 3, (2027, 2, 28)),
        ((2028, 2, 29), 12, (2029, 2, 28)),
        ((2026, 3, 10), 0, (2026, 3, 10)),
        ((2026, 3, 31), -1, (2026, 2, 28)),
        ((2026, 1, 15), -13, (2024, 12, 15)),
    ],
)
def test_a_month_later_is_the_same_day_or_the_months_last(
    start: tuple[int, int, int], months: int, end: tuple[int, int, int]
) -> None:
    at = datetime(*start, 7, 30, 15, 999_999, tzinfo=UTC)
    assert add_months(at, months) == at.replace(year=end[0], month=end[1], day=end[2])


@pytest.mark.parametrize(
    ("duration", "end"),
    [
        ("P2M", datetime(2028, 2, 29, 23, 30, tzinfo=UTC)),
        ("P1Y2M", datetime(2029, 2, 28, 23, 30, tzinfo=UTC)),
        ("P1M1D", datetime(2028, 2, 1, 23, 30, tzinfo=UTC)),
        ("P2W", NEW_YEARS_EVE + timedelta(weeks=2)),
        ("P1DT12H30M5S", NEW_YEARS_EVE + timedelta(days=1, hours=12, minutes=30, seconds=5)),
        ("pt90m", NEW_YEARS_EVE + timedelta(minutes=90)),
        ("PT0S", NEW_YEARS_EVE),
    ],
)
def test_months_are_the_calendars_and_the_rest_is_exact(duration: str, end: datetime) -> None:
    assert later(NEW_YEARS_EVE, duration) == end


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1M", "P1.5D", "P-1D", "P1S", "P1M2Y", "x"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        later(NEW_YEARS_EVE, text)


@pytest.mark.parametrize("text", ["P9999Y", "P99999M", "P9999999D", "PT9999999999S"])
def test_a_duration_stays_within_the_calendar(text: str) -> None:
    if text == "PT9999999999S":
        assert later(NEW_YEARS_EVE, text).year == 2344
        return
    with pytest.raises(ValueError, match="9999"):
        later(NEW_YEARS_EVE, text)
