"""Whatever is billed and recorded, the classes add up to the difference, to the nano-dollar."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from credyt_mcp.domain.reconciliations import CLASSES, Billed, Recorded, Row, Used, settle_timing

GROUPS = ("", "input", "cache_write", "output")
fractions = st.builds(Fraction, st.integers(-(10**12), 10**12), st.integers(1, 1000))
counts = st.builds(Fraction, st.integers(0, 10**7))
amounts = st.builds(abs, fractions)


@st.composite
def used(draw: st.DrawFn) -> Used:
    quantity = draw(counts)
    rates = draw(st.sets(st.builds(Fraction, st.integers(0, 10**5)), min_size=1, max_size=3))
    return Used(
        amount=draw(amounts) if quantity else Fraction(0),
        quantity=quantity,
        rates=rates if quantity else set(),
        early=draw(amounts),
        late=draw(amounts),
        unpriced=draw(counts),
        untried=draw(counts),
        retried=draw(amounts),
        repriced=draw(fractions),
    )


@st.composite
def rows(draw: st.DrawFn) -> Row:
    billed = draw(
        st.dictionaries(
            st.sampled_from(GROUPS),
            st.builds(
                Billed,
                fractions,
                st.none() | counts,
                st.builds(Fraction, st.integers(1, 10**7), st.just(2)),
            ),
        )
    )
    groups = draw(st.dictionaries(st.sampled_from(GROUPS), used()))
    exact = sum((one.amount for one in groups.values()), Fraction(0))
    calls = draw(st.integers(1, 1000))
    # Each call is rounded by half a unit at most.
    drift = draw(st.integers(-(calls // 2), calls // 2)) if groups else 0
    units = max(0, round(exact) + drift)
    unpriced = draw(st.integers(0, 5))
    recorded = Recorded(
        units=units,
        calls=calls if groups else 0,
        unpriced=unpriced,
        uncounted=draw(st.integers(0, unpriced)),
        groups=groups,
    )
    return Row(billed, recorded)


@given(st.lists(rows(), min_size=1, max_size=4))
def test_classes_add_up_and_only_rounding_is_called_rounding(month: list[Row]) -> None:
    settle_timing(enumerate(month))
    timing = 0
    for row in month:
        classes = row.classes()
        assert row.recorded.units + sum(classes.values()) == row.billed_units
        assert set(classes) <= set(CLASSES)
        assert all(classes.values())
        tolerated = sum((bill.tolerance for bill in row.billed.values()), Fraction(0))
        assert abs(classes.get("rounding", 0)) <= tolerated + row.recorded.calls + len(CLASSES)
        for name in ("unattributed", "retry", "cache_write", "unpriced"):
            assert classes.get(name, 0) >= 0, "usage is missing, never too much"
        assert classes.get("unexplained", 0) <= 0
        timing += classes.get("timing", 0)
    assert abs(timing) <= len(month), "what one day lacks is on the other"


@given(rows())
def test_days_that_do_not_touch_lend_each_other_nothing(row: Row) -> None:
    other = Row(row.billed, Recorded())
    settle_timing([(1, row), (3, other)])
    assert "timing" not in row.classes() | other.classes()


@given(st.builds(Fraction, st.integers(0, 10**7)), st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_same_usage_at_another_price_is_a_price_change_alone(
    count: Fraction, was: int, now: int
) -> None:
    groups = {"input": Used(count * was, count, {Fraction(was)})}
    billed = {"input": Billed(count * now, count, Fraction(1, 2))}
    row = Row(billed, Recorded(int(count * was), calls=1, groups=groups))
    difference = int(count * (now - was))
    assert row.classes() == ({"price_change": difference} if difference else {})


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(1, 10**6))
def test_more_usage_at_the_same_price_was_never_recorded(used: int, more: int, rate: int) -> None:
    groups = {"input": Used(Fraction(used * rate), Fraction(used), {Fraction(rate)})}
    billed = {
        "input": Billed(Fraction((used + more) * rate), Fraction(used + more), Fraction(1, 2))
    }
    row = Row(billed, Recorded(used * rate, calls=1, groups=groups))
    assert row.classes() == ({"unattributed": more * rate} if more else {})
