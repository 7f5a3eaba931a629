"""Calendar periods in UTC over which counts run. Pure: never asks what time it is.

A period is half-open: it holds its start and ends just before the next one's start.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime
from functools import lru_cache

from credyt_mcp.clock import DAY, from_micros, to_micros
from credyt_mcp.domain.prices import Period

LIFETIME_START = datetime(1970, 1, 1, tzinfo=UTC)


def period_start(period: Period, moment: datetime) -> datetime:
    """Start of the period that holds `moment`. Raises ValueError for a naive datetime."""
    if moment.utcoffset() is None:
        raise ValueError("moment must be an aware datetime")
    moment = moment.astimezone(UTC)
    if period == "lifetime":
        return LIFETIME_START
    if period == "yearly":
        month = 1
    elif period == "quarterly":
        month = moment.month - (moment.month - 1) % 3
    else:
        month = moment.month
    return datetime(moment.year, month, 1, tzinfo=UTC)


def period_start_micros(period: Period, micros: int) -> int:
    """The same in microseconds since 1970."""
    return _start_on(period, micros // DAY)


@lru_cache(maxsize=1024)
def _start_on(period: Period, day: int) -> int:
    return to_micros(period_start(period, from_micros(day * DAY)))


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time so many months later, or the last day of a shorter month."""
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))
