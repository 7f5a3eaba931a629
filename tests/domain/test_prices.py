"""Prices keep what the wire says and refuse, with a way out, what could not be priced exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from credyt_mcp.domain.fields import dimension_text
from credyt_mcp.domain.prices import (
    Entitlement,
    FixedPrice,
    Price,
    UsageBasedPrice,
    validate_price_names,
)

PRICE: TypeAdapter[UsageBasedPrice | FixedPrice] = TypeAdapter(Price)
TIERS = [{"up_to": 1000, "unit_price": "0.01"}, {"up_to": 10000, "unit_price": "0.008"}]
OPEN = {"unit_price": "0.005"}


def usage_body(
    values: list[dict[str, Any]], usage_type: str = "unit", model: str | None = None, **more: Any
) -> dict[str, Any]:
    calculation: dict[str, Any] = {"event_type": "call", "usage_type": usage_type}
    if usage_type != "unit":
        calculation["volume_field"] = "tokens"
    if any("dimensions" in value for value in values):
        calculation["billable_dimensions"] = ["speed", "hd"]
    calculation |= more.pop("calculation", {})
    return {
        "name": "Calls",
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": calculation,
        "pricing": [{"asset": "USD", "values": values}],
        **({"pricing_model": model} if model else {}),
        **more,
    }


def fixed_body(**more: Any) -> dict[str, Any]:
    return {
        "name": "Fee",
        "type": "fixed",
        "billing_model": {"type": "recurring", "recurring": {"interval": "month"}},
        "pricing": [{"asset": "USD", "values": [{"unit_price": 20}]}],
        **more,
    }


def usage_price(*args: Any, **kwargs: Any) -> UsageBasedPrice:
    return UsageBasedPrice.model_validate(usage_body(*args, **kwargs))


def refusal(body: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        PRICE.validate_python(body)
    return "\n".join(error["msg"] for error in caught.value.errors())


def dims(rate: Any = 1, **dimensions: Any) -> dict[str, Any]:
    return {"dimensions": dimensions, "values": [{"unit_price": rate}]}


def test_a_price_is_echoed_as_it_was_written() -> None:
    body = usage_body(
        [*TIERS, OPEN],
        model="tiered",
        tiering={"basis": "unit", "period": "monthly"},
        collection={"type": "invoice", "timing": "in_arrears"},
        funding_destination={"address": "main", "currency": "EUR", "exchange_rate": "1.1"},
        billing_model={"type": "recurring", "recurring": {"interval": "month"}},
        id="prc_1",
        unheard_of="ignored",
    )
    echoed = PRICE.validate_python(body).model_dump(mode="json", exclude_none=True)
    body["pricing"][0]["values"][0]["up_to"] = "1000"
    body["pricing"][0]["values"][1]["up_to"] = "10000"
    body["billing_model"]["recurring"]["interval_count"] = 1
    del body["unheard_of"]
    assert echoed == body


@pytest.mark.parametrize("number", [Decimal("0.1"), "0.1", 0.1])
def test_numbers_arrive_exactly_whatever_type_carries_them(number: object) -> None:
    value = usage_price([{"unit_price": number}]).pricing[0].entries()[0][1][0]
    assert value.unit_price == Decimal("0.1")


def test_absent_choices_take_the_wires_defaults() -> None:
    price = usage_price([{"volume_rate": 1}], "unit_and_volume")
    assert (price.pricing_model, price.basis, price.period) == ("flat", "volume", None)
    assert price.id is None
    fixed = PRICE.validate_python(fixed_body())
    assert isinstance(fixed, FixedPrice)
    assert fixed.pricing[0].values[0].quantity == 1


def test_prices_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        usage_price([{"unit_price": 1}]).name = "Other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "body",
    [
        usage_body([{"unit_price": 0}]),
        usage_body([{"volume_rate": 2, "package_size": 100}], "volume", "package"),
        usage_body([{"flat_fee": 5, "up_to": 10}, {"unit_price": 1}], model="tiered"),
        usage_body([{"unit_price": 1}], model="bulk"),
        usage_body([dims(speed="fast"), dims(speed="fast", hd="yes"), dims(speed="*")]),
        usage_body([{"unit_price": 1, "volume_rate": 0}]),
        usage_body([{"unit_price": 1, "min_amount": 2, "max_amount": 2}]),
        usage_body([{"unit_price": "0.000000000000000001"}]),
        usage_body([{"unit_price": 1}], calculation={"unit_aggregation": "count"}),
    ],
)
def test_what_can_be_priced_is_accepted(body: dict[str, Any]) -> None:
    assert PRICE.validate_python(body).type == "usage_based"


@pytest.mark.parametrize("field", ["unit_price", "min_amount", "max_amount", "flat_fee"])
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (-1, "must not be negative"),
        ("1e12", "must be less than"),
        ("0.0000000000000000001", "at most 18 decimals"),
        ("NaN", "finite"),
        ("Infinity", "finite"),
        (True, "must be a number"),
    ],
)
def test_a_rate_or_fee_out_of_bounds_is_refused(field: str, number: object, message: str) -> None:
    value = {"unit_price": 1, field: number}
    assert message in refusal(usage_body([value], model="bulk"))


@pytest.mark.parametrize("field", ["package_size", "up_to"])
@pytest.mark.parametrize("number", [0, -5])
def test_a_size_or_bound_must_be_positive(field: str, number: int) -> None:
    body = usage_body([{"unit_price": 1, field: number}, {"unit_price": 1}], model="bulk")
    assert "must be greater than 0" in refusal(body)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([*reversed(TIERS), OPEN], "out of order or overlap"),
        ([TIERS[0], TIERS[0], OPEN], "out of order or overlap"),
        (TIERS, "last tier must be open"),
        ([TIERS[0], OPEN, OPEN], "only the last tier may be open"),
        ([{"up_to": 5, "name": "free"}, OPEN], "needs unit_price; 0 is allowed"),
        (
            [{"up_to": 5, "unit_price": 1, "package_size": 2}, {"unit_price": 1}],
            "package_size must be the same in every tier",
        ),
    ],
)
@pytest.mark.parametrize("model", ["tiered", "bulk"])
def test_tiers_that_leave_gaps_or_overlap_are_refused(
    values: list[dict[str, Any]], message: str, model: str
) -> None:
    assert message in refusal(usage_body(values, model=model))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (usage_body([OPEN, OPEN]), "one value without up_to"),
        (usage_body([TIERS[0]]), "one value without up_to"),
        (usage_body([{**OPEN, "flat_fee": 1}]), "flat_fee needs pricing_model tiered or bulk"),
        (usage_body([OPEN], model="package"), "package_size is required"),
        (usage_body([OPEN], "volume"), "usage_type volume needs volume_rate"),
        (usage_body([{"volume_rate": 1}]), "usage_type unit needs unit_price"),
        (usage_body([{}], "unit_and_volume"), "needs unit_price or volume_rate"),
        (usage_body([{**OPEN, "volume_rate": 1}]), "ignores volume_rate; use unit_and_volume"),
        (usage_body([{**OPEN, "min_amount": 2, "max_amount": 1}]), "min_amount must not be"),
        (usage_body([]), "at least 1 item"),
        (usage_body([OPEN], pricing=[]), "at least 1 item"),
        (usage_body([OPEN], name=" "), "must not be empty"),
        (
            usage_body([{"volume_rate": 1}], calculation={"usage_type": "volume"}),
            "volume_field is required",
        ),
        (
            usage_body([OPEN], pricing=[{"asset": a, "values": [OPEN]} for a in ("USD", "usd")]),
            "listed twice",
        ),
    ],
)
def test_a_price_that_says_too_little_or_too_much_is_refused(
    body: dict[str, Any], message: str
) -> None:
    assert message in refusal(body)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([dims(speed="fast"), OPEN], "all have dimensions or none"),
        ([dims(colour="red")], "add colour to usage_calculation.billable_dimensions"),
        ([dims(speed="fast"), dims(2, speed="fast")], "two entries for dimensions"),
        ([dims(speed="fast"), dims(2, speed="fast", hd="*")], "two entries for dimensions"),
        ([{"dimensions": {"speed": "a"}, "values": []}], "at least 1 item"),
        ([{"dimensions": {"speed": "a"}, "values": [{"unit_price": -1}]}], "not be negative"),
        ([{"dimensions": {"speed": "a"}, "values": [OPEN, OPEN]}], "USD values for {'speed': 'a'}"),
    ],
)
def test_dimension_entries_that_are_ambiguous_or_unknown_are_refused(
    values: list[dict[str, Any]], message: str
) -> None:
    assert message in refusal(usage_body(values))


def test_dimensions_need_their_keys_listed_as_billable() -> None:
    body = usage_body([dims(speed="fast")], calculation={"billable_dimensions": None})
    assert "add speed to usage_calculation.billable_dimensions" in refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        usage_body([OPEN], calculation={"usage_type": "custom"}),
        usage_body([OPEN], tiering={"basis": "custom"}),
        usage_body([OPEN], tiering={"period": "custom"}),
        usage_body([OPEN], calculation={"unit_aggregation": "count * 2"}),
        usage_body([{"volume_rate": 1}], "volume", calculation={"volume_aggregation": "max"}),
    ],
)
def test_expressions_are_refused_because_there_is_no_language_for_them(
    body: dict[str, Any],
) -> None:
    assert "no expression language" in refusal(body)


@pytest.mark.parametrize(
    ("usage_type", "basis", "model", "message"),
    [
        ("unit", "volume", "tiered", "cannot count usage_type unit"),
        ("volume", "unit", "tiered", "cannot count usage_type volume"),
        ("unit", "package", "flat", "needs pricing_model tiered, bulk or package"),
        ("unit", "package", "tiered", "package_size is required"),
    ],
)
def test_tiers_can_only_count_what_the_price_measures(
    usage_type: str, basis: str, model: str, message: str
) -> None:
    rate = "volume_rate" if usage_type == "volume" else "unit_price"
    body = usage_body([{rate: 1}], usage_type, model, tiering={"basis": basis})
    assert message in refusal(body)


@pytest.mark.parametrize(("basis", "tiered"), [("volume", "volume_rate"), ("unit", "unit_price")])
def test_only_the_counted_rate_may_differ_between_tiers(basis: str, tiered: str) -> None:
    other = "unit_price" if tiered == "volume_rate" else "volume_rate"
    same = [{"up_to": 5, tiered: 3, other: 1}, {tiered: 2, other: 1}]
    different = [{"up_to": 5, tiered: 3, other: 1}, {tiered: 2}]
    more: dict[str, Any] = {"model": "bulk", "tiering": {"basis": basis}}
    assert usage_price(same, "unit_and_volume", **more).basis == basis
    message = refusal(usage_body(different, "unit_and_volume", **more))
    assert f"{other} must be the same in every tier" in message


def test_assets_that_share_a_running_count_must_list_the_same_dimensions() -> None:
    pricing = [
        {"asset": "USD", "values": [dims(speed="fast"), dims(speed="*")]},
        {"asset": "CREDIT", "values": [dims(speed="*"), dims(speed="fast")]},
    ]
    body = usage_body([dims(speed="fast")], pricing=pricing)
    assert PRICE.validate_python(body)
    assert "same dimensions in the same order" in refusal(body | {"tiering": {"period": "monthly"}})


def test_price_names_are_unique_within_a_version_and_case_matters() -> None:
    one, other, fixed = (
        usage_price([OPEN], name="Image"),
        usage_price([OPEN], name="image"),
        PRICE.validate_python(fixed_body(name="image")),
    )
    validate_price_names([one, other])
    with pytest.raises(ValueError, match="'image' is used 2 times"):
        validate_price_names([one, other, fixed])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"billing_model": {"type": "real_time"}}, "does not match any of the expected tags"),
        ({"pricing": [{"asset": "USD", "values": [{"unit_price": -1}]}]}, "must not be negative"),
        (
            {"pricing": [{"asset": "USD", "values": [{"unit_price": 1, "quantity": 0}]}]},
            "greater than or equal to 1",
        ),
        ({"pricing": [{"asset": "USD", "values": []}]}, "at least 1 item"),
        ({"pricing": fixed_body()["pricing"] * 2}, "listed twice"),
        ({"pricing_model": "tiered"}, "should be 'flat'"),
    ],
)
def test_a_fixed_price_is_a_plain_amount_times_a_quantity(
    change: dict[str, Any], message: str
) -> None:
    assert message in refusal(fixed_body(**change))


def test_an_entitlement_says_what_is_granted_and_for_how_long() -> None:
    body = {
        "name": "Monthly Credit Allowance",
        "asset": "CREDIT",
        "amount": 1000,
        "purpose": "bundled",
        "lifecycle": {"duration": "month", "refresh": {"strategy": "expire_and_replace"}},
        "accounting": {"revenue_basis": 0, "cost_basis": "auto"},
    }
    assert Entitlement.model_validate(body).lifecycle.duration_count == 1
    with pytest.raises(ValidationError, match="greater than 0"):
        Entitlement.model_validate(body | {"amount": 0})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        ("Fast", "Fast"),
        (1, "1"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (100, "100"),
        (0.25, "0.25"),
        (Decimal("-0.0"), "0"),
        (Decimal("1E+999999"), "1E+999999"),
        (None, None),
        ([1], None),
    ],
)
def test_dimension_values_compare_as_plain_text(value: object, text: str | None) -> None:
    assert dimension_text(value) == text
