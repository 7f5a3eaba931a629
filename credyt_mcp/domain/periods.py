"""Periods in UTC: calendar ones over which counts run, and those that recur from an anchor. Pure:
never asks what time it is.

A period is half-open: it holds its start and ends just before the next one's start.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from credyt_mcp.clock import DAY, from_micros, to_micros
from credyt_mcp.domain.prices import Interval, Period

_DAYS: dict[Interval, int] = {"day": 1, "week": 7}
_MONTHS: dict[Interval, int] = {"month": 1, "year": 12}
LAST_MOMENT = to_micros(datetime.max.replace(tzinfo=UTC))

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


class Every(NamedTuple):
    """How often something recurs, such as every 3 months."""

    interval: Interval
    number: int = 1

    def times(self, anchor: int, times: int) -> int:
        """The moment `times` intervals after `anchor`, in microseconds.

        It is reckoned from the anchor, never from the time before, so that what began on 31
        January falls on the last day of February and on 31 March again. What would lie beyond the
        year 9999 lies at its end.
        """
        if self.interval in _DAYS:
            moment = anchor + times * self.number * _DAYS[self.interval] * DAY
            return min(moment, LAST_MOMENT)
        try:
            months = times * self.number * _MONTHS[self.interval]
            return to_micros(add_months(from_micros(anchor), months))
        except ValueError:
            return LAST_MOMENT

    def after(self, anchor: int, moment: int) -> int:
        """The first time later than `moment`; the anchor itself is the very first."""
        if moment < anchor:
            return anchor
        if self.interval in _DAYS:
            passed = (moment - anchor) // (self.number * _DAYS[self.interval] * DAY)
        else:
            start, now = from_micros(anchor), from_micros(moment)
            months = (now.year - start.year) * 12 + now.month - start.month
            passed = max(0, months // (self.number * _MONTHS[self.interval]) - 1)
        while (found := self.times(anchor, passed)) <= moment < LAST_MOMENT:
            passed += 1
        return found


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time so many months later, or the last day of a shorter month."""
    years, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + years, month + 1
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))
