"""What recurs from an anchor never drifts: months end where they end, and every moment has one
next time."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.clock import from_micros, to_micros
from credyt_mcp.domain.periods import LAST_MOMENT, Every, add_months
from credyt_mcp.domain.prices import Interval

anchors = st.datetimes(
    min_value=datetime(1980, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
intervals: st.SearchStrategy[Interval] = st.sampled_from(["day", "week", "month", "year"])
rhythms = st.builds(Every, intervals, st.integers(1, 40))


@given(anchors, rhythms, st.integers(0, 200))
def test_the_next_time_is_the_first_of_the_series_that_is_later(
    start: datetime, every: Every, times: int
) -> None:
    anchor = to_micros(start)
    moment, following = every.times(anchor, times), every.times(anchor, times + 1)
    assert moment < following or moment == LAST_MOMENT
    if following == LAST_MOMENT:
        return
    assert every.after(anchor, moment) == following
    assert every.after(anchor, following - 1) == following


@given(anchors, st.integers(1, 500))
def test_a_month_later_is_the_same_day_or_the_last_of_a_shorter_month(
    start: datetime, months: int
) -> None:
    later = add_months(start, months)
    assert (later.year * 12 + later.month) - (start.year * 12 + start.month) == months
    assert later.day == min(start.day, monthrange(later.year, later.month)[1])
    assert later.time() == start.time()


@given(anchors, st.integers(1, 60), st.integers(1, 6))
def test_steps_of_months_do_not_depend_on_how_they_are_taken(
    start: datetime, times: int, number: int
) -> None:
    anchor, moment = to_micros(start), to_micros(start)
    for _ in range(times):
        moment = Every("month", number).after(anchor, moment)
    assert moment == to_micros(add_months(start, times * number))


def test_the_end_of_january_comes_back_in_march() -> None:
    anchor = to_micros(datetime(2027, 1, 31, 12, tzinfo=UTC))
    found = [from_micros(Every("month").times(anchor, times)).date() for times in range(14)]
    assert [f"{day:%m-%d}" for day in found[:5]] == ["01-31", "02-28", "03-31", "04-30", "05-31"]
    assert f"{found[13]:%Y-%m-%d}" == "2028-02-29"


@pytest.mark.parametrize(
    ("every", "last"),
    [
        (Every("year"), "2031-02-28"),
        (Every("month", 3), "2028-11-29"),
        (Every("week", 2), "2028-04-11"),
        (Every("day"), "2028-03-03"),
    ],
)
def test_a_leap_day_recurs(every: Every, last: str) -> None:
    anchor = to_micros(datetime(2028, 2, 29, tzinfo=UTC))
    assert f"{from_micros(every.times(anchor, 3)):%Y-%m-%d}" == last


def test_before_the_anchor_the_anchor_is_next() -> None:
    anchor = to_micros(datetime(2028, 2, 29, tzinfo=UTC))
    day = to_micros(datetime(2028, 2, 28, tzinfo=UTC))
    assert Every("month").after(anchor, day) == anchor
    assert Every("month").after(anchor, anchor) == to_micros(datetime(2028, 3, 29, tzinfo=UTC))


def test_nothing_lies_beyond_the_year_9999() -> None:
    anchor = to_micros(datetime(9999, 12, 1, tzinfo=UTC))
    for every in (Every("day", 1000), Every("month"), Every("year", 1000)):
        assert every.after(anchor, anchor) == LAST_MOMENT
    assert from_micros(LAST_MOMENT) == datetime.max.replace(tzinfo=UTC)
