"""Fees of a period add up to the rounded total, checked against a second, naive model in fractions.

The naive model reads the price's JSON and knows nothing of tables or running sums.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from credyt_mcp.domain.compiled_prices import RateTable, UsagePrice, compile_price, whole_units
from credyt_mcp.domain.money import Asset
from credyt_mcp.domain.prices import UsageBasedPrice
from credyt_mcp.domain.pricing import NO_COUNTS, Counts, Usage, cumulative, measure, quote

rates = st.decimals("0", "20", places=4) | st.sampled_from([Decimal("1e-18"), Decimal("0.3")])
sizes = st.none() | st.sampled_from([Decimal(n) for n in ("3", "7", "0.7", "100", "1000000")])
bounds = st.lists(
    st.sampled_from([Decimal(n) for n in ("0.5", "1", "2", "3", "5.25", "10", "40")]),
    max_size=3,
    unique=True,
).map(sorted)
volumes = st.lists(
    st.decimals("0", "15", places=3) | st.sampled_from([Decimal(n) for n in range(6)]),
    min_size=1,
    max_size=8,
)
scales = st.sampled_from([0, 2, 6, 9, 12])


def compiled(body: dict[str, Any], scale: int = 9) -> UsagePrice:
    price = UsageBasedPrice.model_validate(body)
    return compile_price(price, key=1, price_id="p", assets={"X": Asset("X", scale, 0)})


def table_of(price: UsagePrice) -> RateTable:
    return price.pricing[0].entries[0]


@st.composite
def price_bodies(draw: st.DrawFn, model: str | None = None) -> dict[str, Any]:
    """Any computable price without dimensions or clamps that counts over its lifetime."""
    model = model or draw(st.sampled_from(["flat", "tiered", "bulk", "package"]))
    usage_type = draw(st.sampled_from(["unit", "volume", "unit_and_volume"]))
    graded = model in ("tiered", "bulk")
    bases = {"unit": ["unit"], "volume": ["volume"], "unit_and_volume": ["unit", "volume"]}
    choices: list[str | None] = [None, *bases[usage_type]]
    basis = draw(st.sampled_from(choices if model == "flat" else [*choices, "package"]))
    size = draw(sizes)
    if "package" in (model, basis) and size is None:
        size = Decimal(7)
    by_units = usage_type == "unit" or basis == "unit"
    main, other = ("unit_price", "volume_rate") if by_units else ("volume_rate", "unit_price")
    other_rate = draw(rates) if usage_type == "unit_and_volume" else None
    values = []
    for up_to in [*(draw(bounds) if graded else []), None]:
        value = {"up_to": up_to, main: draw(rates), other: other_rate, "package_size": size}
        if graded:
            value["flat_fee"] = draw(st.none() | rates)
        values.append(value)
    return {
        "name": "p",
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "pricing_model": model,
        "tiering": {"basis": basis, "period": "lifetime"},
        "usage_calculation": {
            "event_type": "e",
            "usage_type": usage_type,
            "volume_field": "v",
        },
        "pricing": [{"asset": "X", "values": values}],
    }


def fraction(value: Decimal | None) -> Fraction:
    return Fraction(value or 0)


def naive_total(body: dict[str, Any], units: int, volume: Decimal) -> Fraction:
    """P straight from the definitions of the four models."""
    model, basis = body["pricing_model"], body["tiering"]["basis"]
    usage_type = body["usage_calculation"]["usage_type"]
    values = body["pricing"][0]["values"]
    size = fraction(values[0]["package_size"] or Decimal(1))
    whole = "package" in (model, basis)
    by_units = usage_type == "unit" or basis == "unit"
    counted, rest = Fraction(units), Fraction(volume)
    main, other = "unit_price", "volume_rate"
    if not by_units:
        counted, rest, main, other = rest, counted, other, main
    divide_counted = not whole and not (by_units and usage_type == "unit_and_volume")
    divide_rest = not whole and by_units
    if whole:
        counted = Fraction(ceil(counted / size))
    if usage_type != "unit_and_volume":
        rest = Fraction(0)
    total = rest * fraction(values[0][other]) / (size if divide_rest else 1)
    lower = Fraction(0)
    for value in values:
        upper = counted if value["up_to"] is None else Fraction(value["up_to"])
        rate = fraction(value[main]) / (size if divide_counted else 1)
        reached = lower < counted <= upper
        if model != "bulk" and counted > lower:
            total += rate * (min(counted, upper) - lower) + fraction(value.get("flat_fee"))
        if model == "bulk" and reached:
            total += rate * counted + fraction(value["flat_fee"])
        lower = upper
    return total


def fees_of(price: UsagePrice, sequence: list[Decimal]) -> tuple[list[int], Counts]:
    before, fees = NO_COUNTS, []
    for volume in sequence:
        usage = measure(price, {"v": volume})
        assert isinstance(usage, Usage)
        result = quote(price, usage, before)
        assert result.after is not None
        before = result.after
        fees.append(result.options[0].amount)
    return fees, before


@given(price_bodies(), volumes, scales)
def test_fees_of_any_events_add_up_to_the_rounded_total(
    body: dict[str, Any], sequence: list[Decimal], scale: int
) -> None:
    fees, after = fees_of(compiled(body, scale), sequence)
    total = naive_total(body, len(sequence), sum(sequence, Decimal(0)))
    assert sum(fees) == round(total * 10**scale)  # Fraction rounds half to even
    measured = body["usage_calculation"]["usage_type"] != "unit"
    volume = sum(sequence, Decimal(0)) if measured else Decimal(0)
    assert after == Counts(Decimal(len(sequence)), volume)


@given(price_bodies(), volumes, st.randoms())
def test_the_total_does_not_depend_on_how_the_usage_arrives(
    body: dict[str, Any], sequence: list[Decimal], random: Any
) -> None:
    price = compiled(body)
    shuffled = list(sequence)
    random.shuffle(shuffled)
    assert sum(fees_of(price, shuffled)[0]) == sum(fees_of(price, sequence)[0])
    # the same volume in one lump, with empty events to keep the number of events
    lump = [sum(sequence, Decimal(0)), *[Decimal(0)] * (len(sequence) - 1)]
    assert sum(fees_of(price, lump)[0]) == sum(fees_of(price, sequence)[0])


@given(price_bodies())
def test_no_usage_costs_nothing(body: dict[str, Any]) -> None:
    assert cumulative(table_of(compiled(body)), NO_COUNTS) == 0


@given(
    st.sampled_from(["tiered", "bulk"]),
    st.decimals("999999999999", "999999999999.999999999999999999", places=18),
    st.decimals("0.000000000001", "999999999999999.999999999999", places=12),
    st.decimals("1e24", "1e25", places=12),
)
def test_the_widest_admitted_numbers_are_still_rounded_exactly(
    model: str, rate: Decimal, size: Decimal, volume: Decimal
) -> None:
    value = {"volume_rate": rate, "unit_price": rate, "flat_fee": rate, "package_size": size}
    body: dict[str, Any] = {
        "name": "p",
        "type": "usage_based",
        "pricing_model": model,
        "tiering": {"basis": "volume", "period": "lifetime"},
        "usage_calculation": {
            "event_type": "e",
            "usage_type": "unit_and_volume",
            "volume_field": "v",
        },
        "pricing": [{"asset": "X", "values": [{**value, "up_to": Decimal("0.7")}]}],
    }
    body["pricing"][0]["values"].append({**value, "up_to": None})
    asset = Asset("X", 12, 6)
    units = whole_units(cumulative(table_of(compiled(body)), Counts(Decimal(3), volume)), asset)
    assert units == round(naive_total(body, 3, volume) * 10**12)


@given(price_bodies(model="tiered"), volumes)
def test_a_tiered_price_never_gives_a_credit(body: dict[str, Any], sequence: list[Decimal]) -> None:
    assert min(fees_of(compiled(body), sequence)[0]) >= 0


@given(st.decimals("0.01", "20", places=2), st.decimals("0.01", "20", places=2), bounds)
def test_crossing_into_a_cheaper_bulk_tier_credits_the_usage_before_it(
    dear: Decimal, cheap: Decimal, ups: list[Decimal]
) -> None:
    assume(cheap < dear and ups)
    bound, step = ups[0], Decimal("0.001")
    values = [{"up_to": bound, "volume_rate": dear}, {"volume_rate": cheap}]
    body = {
        "name": "p",
        "type": "usage_based",
        "pricing_model": "bulk",
        "tiering": {"period": "monthly"},
        "usage_calculation": {"event_type": "e", "usage_type": "volume", "volume_field": "v"},
        "pricing": [{"asset": "X", "values": values}],
    }
    fees, _ = fees_of(compiled(body), [bound, step])
    assert fees[1] == int(10**9 * (cheap * step - (dear - cheap) * bound))


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy*"), max_size=3),
        min_size=1,
        max_size=6,
        unique_by=lambda d: tuple(sorted((k, v) for k, v in d.items() if v != "*")),
    ),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")),
)
def test_the_first_listed_of_the_most_exact_entries_wins(
    entries: list[dict[str, str]], data: dict[str, object]
) -> None:
    body = {
        "name": "p",
        "type": "usage_based",
        "usage_calculation": {
            "event_type": "e",
            "usage_type": "unit",
            "billable_dimensions": ["a", "b", "c"],
        },
        "pricing": [
            {
                "asset": "X",
                "values": [{"dimensions": d, "values": [{"unit_price": 1}]} for d in entries],
            }
        ],
    }
    usage = measure(compiled(body), data)
    exact = [
        sum(v != "*" for v in d.values())
        if all(v == "*" or data.get(k) == v for k, v in d.items())
        else -1
        for d in entries
    ]
    if max(exact) < 0:
        assert not isinstance(usage, Usage)
    else:
        assert isinstance(usage, Usage)
        assert usage.entries == (exact.index(max(exact)),)
