"""Products: terms kept exactly, versions that never change, publishing, archiving, deleting."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from credyt_mcp import exact_json
from credyt_mcp.errors import Conflict, InvalidRequest, NotFound, UnknownReference, WrongState
from credyt_mcp.use_cases.assets import create_asset
from credyt_mcp.use_cases.customers import create_customer
from credyt_mcp.use_cases.product_versions import (
    archive_version,
    delete_product,
    get_version,
    update_version,
)
from credyt_mcp.use_cases.products import (
    create_product,
    create_product_version,
    get_product,
    list_products,
)
from tests.conftest import Call


def image_price(unit_price: Any = 10, asset: str = "USD", name: str = "Image") -> dict[str, Any]:
    return {
        "name": name,
        "type": "usage_based",
        "billing_model": {"type": "real_time"},
        "usage_calculation": {"event_type": "image_generated", "usage_type": "unit"},
        "pricing": [{"asset": asset, "values": [{"unit_price": unit_price}]}],
    }


MONTHLY_FEE = {
    "name": "Plan",
    "type": "fixed",
    "billing_model": {"type": "recurring", "recurring": {"interval": "month"}},
    "pricing": [{"asset": "USD", "values": [{"unit_price": 20}]}],
}
ALLOWANCE = {
    "name": "Monthly Credit Allowance",
    "asset": "credits",
    "amount": 1000,
    "purpose": "bundled",
    "lifecycle": {
        "duration": "month",
        "duration_count": 1,
        "refresh": {"strategy": "expire_and_replace"},
    },
    "accounting": {"revenue_basis": Decimal("0.00"), "cost_basis": "auto"},
}
IMAGES: dict[str, Any] = {"name": "Image Generation", "code": "image_gen"}


async def test_a_product_with_prices_is_published_as_default_version_1(call: Call) -> None:
    product = await call(create_product, **IMAGES, prices=[image_price()])
    assert product.id.startswith("prp_")
    assert (product.code, product.version, product.status) == ("image_gen", 1, "published")
    assert product.is_default


@pytest.mark.parametrize("terms", [{}, {"prices": [image_price()], "publish": False}])
async def test_a_product_without_prices_or_told_not_to_publish_is_a_draft(
    call: Call, terms: dict[str, Any]
) -> None:
    product = await call(create_product, **IMAGES, **terms)
    assert (product.version, product.status, product.is_default) == (1, "draft", False)
    details = await call(get_product, product_id="image_gen")
    assert details.default_version.version == 1
    assert [version.status for version in details.versions] == ["draft"]


async def test_nothing_cannot_be_published(call: Call) -> None:
    with pytest.raises(InvalidRequest, match="nothing to publish") as refused:
        await call(create_product, **IMAGES, publish=True)
    assert list(refused.value.errors) == ["publish"]
    assert (await call(list_products)).total_count == 0


async def test_terms_read_back_exactly_as_they_were_written(call: Call) -> None:
    await call(create_asset, code="credits", name="Credits")
    tiers = [
        {"up_to": Decimal("0.5"), "volume_rate": Decimal("12345678.123456789")},
        {"volume_rate": Decimal("0.000000000000000001"), "flat_fee": 0, "name": "Rest"},
    ]
    dimensional: dict[str, Any] = {
        "name": "Tokens",
        "type": "usage_based",
        "pricing_model": "tiered",
        "tiering": {"period": "monthly"},
        "billing_model": {"type": "real_time"},
        "usage_calculation": {
            "event_type": "chat",
            "usage_type": "volume",
            "volume_field": "tokens",
            "billable_dimensions": ["model"],
            "source_reference_field": "chat_id",
        },
        "pricing": [
            {
                "asset": "CREDITS",
                "values": [{"name": "Any", "dimensions": {"model": "*"}, "values": tiers}],
            }
        ],
    }
    terms = {"prices": [image_price(0), MONTHLY_FEE, dimensional], "entitlements": [ALLOWANCE]}
    await call(create_product, **IMAGES, **terms)
    version = await call(get_version, product_id="image_gen", version="default")
    shown = exact_json.loads(exact_json.dumps(version.model_dump()))
    ids = [price.pop("id") for price in shown["prices"]]
    assert len({*ids}) == 3 and all(price_id.startswith("prc_") for price_id in ids)
    image, fee, tokens = shown["prices"]
    assert image == {**image_price(0), "pricing_model": "flat"}
    assert fee["billing_model"]["recurring"] == {"interval": "month", "interval_count": 1}
    assert fee["pricing"][0]["values"] == [{"unit_price": 20, "quantity": 1}]
    assert tokens.pop("pricing")[0] == {**dimensional.pop("pricing")[0], "asset": "credits"}
    assert tokens == dimensional
    assert shown["entitlements"] == [ALLOWANCE]


async def test_every_asset_named_must_exist(call: Call) -> None:
    with pytest.raises(UnknownReference) as refused:
        await call(
            create_product,
            **IMAGES,
            prices=[MONTHLY_FEE, image_price(asset="gems")],
            entitlements=[ALLOWANCE],
        )
    assert set(refused.value.errors) == {"prices[1].pricing[0].asset", "entitlements[0].asset"}
    assert (await call(list_products)).total_count == 0
    await call(create_product, **IMAGES, prices=[image_price(asset="usd")])
    details = await call(get_product, product_id="image_gen")
    assert details.default_version.prices[0].pricing[0].asset == "USD"


async def test_a_taken_code_is_refused_and_nothing_changes(call: Call) -> None:
    first = await call(create_product, **IMAGES, prices=[image_price()])
    with pytest.raises(Conflict, match="image_gen"):
        await call(create_product, **IMAGES, prices=[image_price(99)])
    assert [item.id for item in (await call(list_products)).items] == [first.id]


@pytest.mark.parametrize("code", ["", " ", "prp_1", "x" * 256, "a\x00b"])
async def test_a_code_must_be_visible_short_and_no_id(call: Call, code: str) -> None:
    with pytest.raises(ValidationError):
        await call(create_product, name="Any", code=code)


async def test_price_names_are_unique_in_a_version(call: Call) -> None:
    with pytest.raises(InvalidRequest, match="'Image' is used 2 times") as refused:
        await call(create_product, **IMAGES, prices=[image_price(1), image_price(2)])
    assert list(refused.value.errors) == ["prices"]


async def test_products_are_listed_newest_first_and_found_by_code(call: Call) -> None:
    for code in ("a", "b", "c"):
        await call(create_product, name=code.upper(), code=code)
    page = await call(list_products, limit=2)
    assert ([item.code for item in page.items], page.total_count) == (["c", "b"], 3)
    assert [item.code for item in (await call(list_products, offset=2)).items] == ["a"]
    assert [item.name for item in (await call(list_products, code="b")).items] == ["B"]
    assert (await call(list_products, code="B")).total_count == 0


async def test_version_2_leaves_version_1_and_the_default_as_they_are(call: Call) -> None:
    product = await call(create_product, **IMAGES, prices=[image_price(10)])
    before = await call(get_version, product_id=product.id, version=1)
    second = await call(create_product_version, product_id="image_gen", prices=[image_price(15)])
    assert (second.version, second.status, second.is_default) == (2, "draft", False)
    third = await call(
        create_product_version, product_id=product.id, prices=[image_price(20)], publish=True
    )
    assert (third.version, third.status, third.is_default) == (3, "published", False)
    assert await call(get_version, product_id=product.id, version=1) == before
    details = await call(get_product, product_id="image_gen")
    assert details.default_version.version == 1
    assert [(row.version, row.status) for row in details.versions] == [
        (3, "published"),
        (2, "draft"),
        (1, "published"),
    ]


async def test_concurrent_versions_get_numbers_of_their_own(call: Call) -> None:
    await call(create_product, **IMAGES, prices=[image_price()])
    made: list[int] = []

    async def make() -> None:
        version = await call(create_product_version, product_id="image_gen", prices=[MONTHLY_FEE])
        made.append(version.version)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(make)
    assert sorted(made) == [2, 3, 4, 5]


async def test_concurrent_products_of_one_code_are_created_once(call: Call) -> None:
    outcomes: list[str] = []

    async def make() -> None:
        try:
            outcomes.append((await call(create_product, **IMAGES)).code)
        except Conflict as error:
            outcomes.append(error.code)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(make)
    assert sorted(outcomes) == ["already_exists"] * 3 + ["image_gen"]


async def test_the_first_published_version_becomes_the_default_later_ones_when_told(
    call: Call,
) -> None:
    await call(create_product, **IMAGES, prices=[image_price()], publish=False)
    await call(create_product_version, product_id="image_gen", prices=[MONTHLY_FEE])

    async def default() -> int:
        version: int = (await call(get_version, product_id="image_gen", version="default")).version
        return version

    with pytest.raises(NotFound, match="no default version"):
        await default()
    with pytest.raises(WrongState, match="is draft"):
        await call(update_version, product_id="image_gen", version=2, make_default=True)
    await call(update_version, product_id="image_gen", version=2, publish=True)
    assert await default() == 2
    await call(update_version, product_id="image_gen", version=1, publish=True)
    assert await default() == 2
    await call(update_version, product_id="image_gen", version=1, publish=True, make_default=True)
    assert await default() == 1


async def test_an_archived_version_is_final_and_a_default_needs_a_successor(call: Call) -> None:
    await call(create_product, **IMAGES, prices=[image_price()])
    await call(create_product_version, product_id="image_gen", prices=[MONTHLY_FEE], publish=True)
    with pytest.raises(WrongState, match="is the default"):
        await call(archive_version, product_id="image_gen", version="default")
    await call(update_version, product_id="image_gen", version=2, make_default=True)
    for _ in range(2):
        await call(archive_version, product_id="image_gen", version=1)
    with pytest.raises(WrongState):
        await call(update_version, product_id="image_gen", version=1, publish=True)
    with pytest.raises(WrongState):
        await call(update_version, product_id="image_gen", version=1, make_default=True)
    await call(archive_version, product_id="image_gen", version=2)
    details = await call(get_product, product_id="image_gen")
    assert {row.status for row in details.versions} == {"archived"}
    assert details.default_version.version == 2
    again = await call(
        create_product_version, product_id="image_gen", prices=[image_price()], publish=True
    )
    assert (again.version, again.is_default) == (3, True)


async def test_an_unused_product_is_deleted_for_good(call: Call) -> None:
    product = await call(create_product, **IMAGES, prices=[image_price()])
    await call(delete_product, product_id="image_gen")
    with pytest.raises(NotFound):
        await call(get_product, product_id=product.id)
    assert (await call(create_product, **IMAGES)).id != product.id


async def test_a_used_product_is_archived_and_keeps_its_code(call: Call) -> None:
    product = await call(create_product, **IMAGES, prices=[image_price()])
    await call(create_customer, name="Jane", subscriptions=[{"products": [{"code": "image_gen"}]}])
    for _ in range(2):
        await call(delete_product, product_id="image_gen")
    assert (await call(list_products)).total_count == 0
    version = await call(get_version, product_id=product.id, version=1)
    assert (version.status, version.is_default) == ("archived", False)
    with pytest.raises(WrongState):
        await call(create_product_version, product_id="image_gen", prices=[])
    with pytest.raises(Conflict):
        await call(create_product, **IMAGES)


async def test_what_does_not_exist_is_not_found(call: Call) -> None:
    await call(create_product, **IMAGES)
    for product in ("nothing", "prp_4e28n8kk41931f5yt5em49ecw7"):
        with pytest.raises(NotFound, match=product):
            await call(get_product, product_id=product)
    with pytest.raises(NotFound, match="no version 7"):
        await call(get_version, product_id="image_gen", version=7)
